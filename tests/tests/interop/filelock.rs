//! Python's `filelock`, which locks the file and writes nothing to it.

use std::path::Path;
use std::process::Command;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::python::Environment;
use pidlock_tests::{Program, run, said, text};

use crate::holder;

fn script(python: &Environment, path: &Path, body: &str) -> Command {
    let mut command = Command::new(python.python());
    let prelude = "import sys, filelock\nlock = filelock.FileLock(sys.argv[1])\n";
    command.arg("-c").arg(format!("{prelude}{body}")).arg(path);
    command
}

#[test]
fn filelock_and_pidlock_exclude_each_other() {
    let Some(python) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");

    let holds = "with lock:\n    print('held', flush=True)\n    sys.stdin.read()";
    let mut theirs = Program::start(&mut script(python, &path, holds));
    theirs.expect("held");
    let error = PidFile::at(&path).acquire().expect_err("filelock holds it");
    let unknown = matches!(error, PidFileError::AlreadyLocked { pid: None, .. });
    assert!(unknown, "{error}");
    assert!(theirs.finish().0.success());

    let mut ours = holder(&path);
    let tries = "try:\n    lock.acquire(timeout=0)\n    print('in')\n\
                 except filelock.Timeout:\n    print('refused')";
    assert_eq!(said(&run(&mut script(python, &path, tries))), "refused\n");
    assert_eq!(
        text(&path),
        format!("{}\n", ours.pid()),
        "filelock does not change the record"
    );
    ours.kill();
    assert_eq!(said(&run(&mut script(python, &path, tries))), "in\n");
    PidFile::at(&path)
        .acquire()
        .expect("filelock is gone")
        .close()
        .expect("release");
}
