//! Programs that fork while they hold a pidfile, lose its descriptor, or change signal handlers
//! between two acquires: what the release finds, and what it leaves. The programs are `daemon` and
//! `forker`.

mod children;
mod daemons;
mod descriptors;
mod handlers;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, text};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

/// A directory for one pidfile.
struct Place {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");
        Self { dir, path }
    }

    fn check_gone(&self, what: &str) {
        let left = std::fs::read_dir(self.dir.path()).expect("a directory");
        assert_eq!(left.count(), 0, "{what}: the file was left");
    }

    /// The file is blank, and a process that it does not name has the lock.
    fn check_left_to_child(&self, what: &str) {
        assert!(self.path.exists(), "{what}: the file is gone");
        assert_eq!(text(&self.path), "", "{what}");
        let error = PidFile::at(&self.path).acquire().expect_err(what);
        let is_locked = matches!(error, PidFileError::AlreadyLocked { pid: None, .. });
        assert!(is_locked, "{what}: {error}");
        assert_eq!(
            text(&self.path),
            "",
            "{what}: a refused start changes nothing"
        );
    }

    /// Waits until no process has the lock. The kernel gives it back at some moment of a process's
    /// end, which the end of its output does not tell.
    fn wait_until_free(&self) {
        let file = File::open(&self.path).expect("the file is there");
        flock(&file, FlockOperation::LockExclusive).expect("a lock");
        // Explicitly: a program that another test is starting may share it.
        flock(&file, FlockOperation::Unlock).expect("the lock is ours");
    }

    fn check_next_start(&self, what: &str) {
        let guard = PidFile::at(&self.path).acquire();
        let guard = guard.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(text(&self.path), format!("{}\n", std::process::id()));
        guard.close().expect("a release");
        self.check_gone(what);
    }
}

fn forker(what: &str, path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forker"));
    Program::start(command.arg(what).arg(path))
}

/// Up to the moment at which it holds the file.
fn holding(what: &str, path: &Path) -> Program {
    let mut program = forker(what, path);
    assert_eq!(program.line(), "held", "{what}");
    program
}

/// How a program that holds a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Drop,
    Exit,
    Signal,
}

impl End {
    const ALL: [Self; 4] = [Self::Close, Self::Drop, Self::Exit, Self::Signal];

    /// Has the program end, checks how it did, and returns what else it said.
    fn of(self, program: &mut Program) -> String {
        match self {
            Self::Close => program.tell("close"),
            Self::Drop => program.tell("drop"),
            Self::Exit => program.tell("exit"),
            Self::Signal => send(Signal::TERM, program.pid()),
        }
        let (status, said) = program.finish();
        match self {
            Self::Signal => check_died_of(Signal::TERM, status, "a signal"),
            _ => assert!(status.success(), "{self:?}: {status}"),
        }
        said
    }
}

fn check_died_of(signal: Signal, status: ExitStatus, what: &str) {
    assert_eq!(status.signal(), Some(signal.as_raw()), "{what}: {status}");
}

fn send(signal: Signal, pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a PID"), signal).expect("the process exists");
}
