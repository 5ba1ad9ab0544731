//! Checks that a program whose `main` is refused prints the message and exits with status 1.

use std::path::Path;
use std::process::{Command, Output};

use pidlock_core::PidFile;

pub(crate) fn run(program: &str, arguments: &[&Path]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

pub(crate) fn assert_refused(output: &Output, path: &Path) {
    let (path, holder) = (path.display(), std::process::id());
    let message = format!("pidfile '{}' already locked by PID {}\n", path, holder);
    assert_eq!(String::from_utf8_lossy(&output.stderr), message);
    assert_eq!(output.stdout, b"");
    assert_eq!(output.status.code(), Some(1));
}

pub(crate) fn assert_runs_once(program: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("main.pid");
    let output = run(program, &[&path]);
    assert_eq!(
        (&*output.stdout, output.status.code()),
        (&b"ran\n"[..], Some(0))
    );

    let _held = PidFile::at(&path).acquire().unwrap();
    assert_refused(&run(program, &[&path]), &path);
}
