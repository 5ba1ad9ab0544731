//! The refusal of `main` in edition 2021.

#[path = "../../refused_main.rs"]
mod refused_main;

#[test]
fn second_start_is_refused() {
    refused_main::assert_runs_once(env!("CARGO_BIN_EXE_pidlock-e2021"));
}
