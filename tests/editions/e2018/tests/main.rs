//! The refusal of `main` in edition 2018.

#[path = "../../refused_main.rs"]
mod refused_main;

#[test]
fn second_start_is_refused() {
    refused_main::assert_runs_once(env!("CARGO_BIN_EXE_pidlock-e2018"));
}
