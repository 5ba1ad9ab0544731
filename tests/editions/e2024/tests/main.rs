//! The refusal of `main` in edition 2024.

#[path = "../../refused_main.rs"]
mod refused_main;

#[test]
fn second_start_is_refused() {
    refused_main::assert_runs_once(env!("CARGO_BIN_EXE_pidlock-e2024"));
}

#[test]
fn refused_function_with_on_error_exit_exits_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (main, work) = (dir.path().join("main.pid"), dir.path().join("work.pid"));
    let _held = pidlock_core::PidFile::at(&work).acquire().unwrap();
    let program = env!("CARGO_BIN_EXE_pidlock-e2024");
    refused_main::assert_refused(&refused_main::run(program, &[&main, &work]), &work);
}
