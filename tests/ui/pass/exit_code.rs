//! A refused function that returns an `ExitCode` prints the message to stderr.

use std::path::Path;
use std::process::{Command, ExitCode};

use pidlock_core::{PidFile, pidfile};

/// Set for the child process, whose call must be refused.
const REFUSED: &str = "PIDLOCK_TESTS_REFUSED";

#[pidfile(path = path)]
fn code(path: &Path) -> ExitCode {
    ExitCode::SUCCESS
}

#[test]
fn the_message_goes_to_stderr() {
    if let Some(path) = std::env::var_os(REFUSED) {
        assert_eq!(code(path.as_ref()), ExitCode::FAILURE);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    assert_eq!(code(&path), ExitCode::SUCCESS);
    let _held = PidFile::at(&path).acquire().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exit_code::the_message_goes_to_stderr"])
        .env(REFUSED, &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // A child makes the call, because the message to the holder itself has other words.
    let (path, pid) = (path.display(), std::process::id());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("pidfile '{path}' already locked by PID {pid}\n")
    );
}
