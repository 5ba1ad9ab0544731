//! libbsd's `pidfile_open`, in a small C program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, run, said, skip, text};

use crate::holder;

/// The program, compiled once for all tests; `None`, and said so, where it cannot be.
pub(crate) fn program() -> Option<PathBuf> {
    static BUILT: OnceLock<Result<tempfile::TempDir, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let output = Command::new("cc")
            .args(["-x", "c", "-Wall", "-Werror", "-o"])
            .arg(dir.path().join("pidfile"))
            .arg("-")
            .arg("-lbsd")
            .stdin(crate::input(include_str!("pidfile.c")))
            .output();
        let output = output.map_err(|error| error.to_string())?;
        output.status.success().then_some(dir).ok_or(said(&output))
    });
    match built {
        Ok(dir) => Some(dir.path().join("pidfile")),
        Err(why) => {
            skip(&format!("no program with libbsd: {why}"));
            None
        }
    }
}

#[test]
fn excludes_us_and_is_excluded() {
    let Some(pidfile) = program() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");

    let mut theirs = Program::start(Command::new(&pidfile).arg("hold").arg(&path));
    theirs.expect("held");
    assert_eq!(text(&path), theirs.pid().to_string(), "without a line feed");
    let error = PidFile::at(&path).acquire().expect_err("libbsd holds it");
    let locked = matches!(error, PidFileError::AlreadyLocked { .. });
    assert!(locked && error.pid() == Some(theirs.pid()), "{error}");
    assert!(theirs.finish().0.success());

    let mut ours = holder(&path);
    // pidfile_read takes the line feed for an error, after it has read the PID.
    let refused = run(Command::new(&pidfile).arg("hold").arg(&path));
    let expected = format!("Invalid argument, PID {}\n", ours.pid());
    assert_eq!(said(&refused), expected);
    // Without asking for the PID it is what it is.
    let refused = run(Command::new(&pidfile).arg("ask").arg(&path));
    assert_eq!(said(&refused), "File exists\n");
    assert_eq!(text(&path), format!("{}\n", ours.pid()));
    ours.kill();
    let free = run(Command::new(&pidfile).arg("ask").arg(&path));
    assert_eq!(said(&free), "free\n", "our stale file is taken over");
}

#[test]
fn leaves_a_stale_file_that_we_take_over() {
    let Some(pidfile) = program() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut theirs = Program::start(Command::new(&pidfile).arg("hold").arg(&path));
    theirs.expect("held");
    theirs.kill();
    let guard = PidFile::at(&path).acquire().expect("libbsd was killed");
    assert_eq!(text(&path), format!("{}\n", std::process::id()));
    guard.close().expect("an end");
}
