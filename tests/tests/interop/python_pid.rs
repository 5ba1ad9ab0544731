//! Python's `pid` 3.0.4, from PyPI, in a virtual environment.

use std::path::Path;
use std::process::Command;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::python::Environment;
use pidlock_tests::{Program, run, said, text};

use crate::holder;

/// Python programs that use `pid`.
trait Pid {
    fn script(&self, arguments: &str, body: &str) -> Command;
    fn holder(&self, arguments: &str) -> Program;
    fn attempt(&self, arguments: &str) -> String;
}

impl Pid for Environment {
    /// A program that uses `pid`, without the environment variables that choose a default
    /// directory.
    fn script(&self, arguments: &str, body: &str) -> Command {
        let mut command = Command::new(self.python());
        command.env_remove("XDG_RUNTIME_DIR").env_remove("RUNTIME_DIRECTORY").arg("-c").arg(format!(
            "import sys, pid\nfile = pid.PidFile({arguments})\ndef say(what):\n    print(what, flush=True)\n{body}"
        ));
        command
    }

    fn holder(&self, arguments: &str) -> Program {
        let mut python = Program::start(&mut self.script(
            arguments,
            "with file:\n    say('held ' + file.filename)\n    sys.stdin.read()",
        ));
        let line = python.line();
        assert!(line.starts_with("held "), "{line}");
        python
    }

    /// The output of an attempt to acquire in Python: `in`, or the name of the exception.
    fn attempt(&self, arguments: &str) -> String {
        let output = run(&mut self.script(
            arguments,
            "try:\n    with file:\n        say('in')\nexcept pid.PidFileError as e:\n    say(type(e).__name__)",
        ));
        said(&output).trim_end().to_owned()
    }
}

fn here(path: &Path) -> String {
    format!("'app', piddir='{}'", path.display())
}

#[test]
fn start_beside_python_pid_is_refused_with_its_pid() {
    let Some(python) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let file = PidFile::new("app").dir(dir.path());
    let mut theirs = python.holder(&here(dir.path()));
    let error = file.acquire().expect_err("Python holds it");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { .. }),
        "{error}"
    );
    assert_eq!(error.pid(), Some(theirs.pid()));
    theirs.finish();
    file.acquire()
        .expect("Python is gone")
        .close()
        .expect("release");

    let mut killed = python.holder(&here(dir.path()));
    killed.kill();
    file.acquire()
        .expect("Python was killed")
        .close()
        .expect("release");
}

#[test]
fn python_pid_is_refused_until_the_holder_is_killed() {
    let Some(python) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let mut ours = holder(&dir.path().join("app.pid"));
    assert_eq!(
        python.attempt(&here(dir.path())),
        "PidFileAlreadyLockedError"
    );
    assert_eq!(
        text(&dir.path().join("app.pid")),
        format!("{}\n", ours.pid())
    );
    ours.kill();
    assert_eq!(
        python.attempt(&here(dir.path())),
        "in",
        "Python takes over the stale file"
    );
}

#[test]
fn python_pid_and_pidlock_without_locks_exclude_each_other() {
    let Some(python) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let unlocked = here(dir.path()) + ", lock_pidfile=False";
    let file = PidFile::new("app").dir(dir.path()).lock(false);

    let mut theirs = python.holder(&unlocked);
    let error = file.acquire().expect_err("Python runs");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { .. }),
        "{error}"
    );
    assert_eq!(error.pid(), Some(theirs.pid()));
    theirs.finish();

    let guard = file.acquire().expect("acquire");
    assert_eq!(python.attempt(&unlocked), "PidFileAlreadyRunningError");
    guard.close().expect("release");
}

#[test]
fn python_pid_and_pidlock_in_the_default_directory_exclude_each_other() {
    let Some(python) = Environment::get() else {
        return;
    };
    let name = format!("pidlock-test-{}", std::process::id());
    let ours = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
        command.args(["--name", &name]);
        command
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("RUNTIME_DIRECTORY");
        command
    };
    let mut theirs = python.holder(&format!("'{name}'"));
    let refusal = Program::start(&mut ours()).line();
    assert!(refusal.starts_with("refused: "), "{refusal}");
    assert!(
        refusal.ends_with(&format!("already locked by PID {}", theirs.pid())),
        "{refusal}"
    );
    theirs.finish();

    let mut ours = Program::start(&mut ours());
    assert!(ours.line().starts_with("held "));
    assert_eq!(
        python.attempt(&format!("'{name}'")),
        "PidFileAlreadyLockedError"
    );
    ours.finish();
}
