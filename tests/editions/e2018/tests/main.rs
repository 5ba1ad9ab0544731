//! The refusal of `main` in edition 2018.

#[path = "../../refused_main.rs"]
mod refused_main;

#[test]
fn one_instance() {
    refused_main::assert_runs_once(env!("CARGO_BIN_EXE_pidlock-e2018"));
}
