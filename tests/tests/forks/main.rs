//! Programs that fork while they hold a pidfile, lose its file descriptor, or change signal
//! handlers between two acquires. The programs are `daemon` and `forker`.

mod children;
mod commits;
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
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        Self { dir, path }
    }

    fn check_gone(&self, what: &str) {
        let left = std::fs::read_dir(self.dir.path()).expect("read the directory");
        assert_eq!(left.count(), 0, "{what}: the file was left");
    }

    /// Asserts that the file is blank, and that a start is refused as locked by an unknown process.
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

    /// Waits until no process holds the lock. A process that is exiting can close its output before
    /// it closes the pidfile.
    fn wait_until_free(&self) {
        let file = File::open(&self.path).expect("open the file");
        flock(&file, FlockOperation::LockExclusive).expect("wait for the lock");
        // A child of another test may share the descriptor, so closing it is not enough.
        flock(&file, FlockOperation::Unlock).expect("unlock the file");
    }

    fn check_next_start(&self, what: &str) {
        let guard = PidFile::at(&self.path).acquire();
        let guard = guard.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(text(&self.path), format!("{}\n", std::process::id()));
        guard.close().expect("release");
        self.check_gone(what);
    }
}

fn forker(what: &str, path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forker"));
    Program::start(command.arg(what).arg(path))
}

/// Starts `forker` and waits until it holds the file.
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

    /// Ends the program, checks its exit status, and returns the rest of its output.
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
    kill_process(pid.expect("a valid PID"), signal).expect("send the signal");
}
