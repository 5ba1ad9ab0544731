//! libbsd's `pidfile_open`, in a small C program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, run, said, skip, text};

use crate::holder;

/// Compiles the program once for all tests. Reports a skip and returns `None` if that fails.
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
fn libbsd_and_pidlock_exclude_each_other() {
    let Some(pidfile) = program() else { return };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");

    let mut theirs = Program::start(Command::new(&pidfile).arg("hold").arg(&path));
    theirs.expect("held");
    assert_eq!(
        text(&path),
        theirs.pid().to_string(),
        "libbsd writes no line feed"
    );
    let error = PidFile::at(&path).acquire().expect_err("libbsd holds it");
    let locked = matches!(error, PidFileError::AlreadyLocked { .. });
    assert!(locked && error.pid() == Some(theirs.pid()), "{error}");
    assert!(theirs.finish().0.success());

    let mut ours = holder(&path);
    // To find out the PID, pidfile_open calls pidfile_read, which stores the PID and then reports
    // the line feed after it as an error.
    let refused = run(Command::new(&pidfile).arg("hold").arg(&path));
    let expected = format!("Invalid argument, PID {}\n", ours.pid());
    assert_eq!(said(&refused), expected);
    // If the caller does not ask for the PID, pidfile_open reports that the file is locked: EEXIST.
    let refused = run(Command::new(&pidfile).arg("ask").arg(&path));
    assert_eq!(said(&refused), "File exists\n");
    assert_eq!(text(&path), format!("{}\n", ours.pid()));
    ours.kill();
    let free = run(Command::new(&pidfile).arg("ask").arg(&path));
    assert_eq!(said(&free), "free\n", "libbsd takes over the stale file");
}

#[test]
fn stale_file_of_libbsd_is_taken_over() {
    let Some(pidfile) = program() else { return };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut theirs = Program::start(Command::new(&pidfile).arg("hold").arg(&path));
    theirs.expect("held");
    theirs.kill();
    let guard = PidFile::at(&path).acquire().expect("libbsd was killed");
    assert_eq!(text(&path), format!("{}\n", std::process::id()));
    guard.close().expect("release");
}
