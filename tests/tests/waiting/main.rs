//! Starts that wait for a holder: what ends the wait, and what it leaves behind.

mod crowd;
mod ends;
mod futures;
mod limits;
mod quiet;
mod watch;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::Program;

/// Far longer than a wait that is ended by an event, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);

/// Checks that a wait was ended by an event, and not by its time limit, after which a start tries once
/// more.
fn in_time<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = wait();
    assert!(began.elapsed() < LONG, "the wait was not ended by an event");
    result
}

/// The two ways to wait.
const WAYS: [&[&str]; 2] = [&[], &["--async"]];

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("create a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("app.pid")
    }

    /// Locked by each holder of a crowd, besides.
    fn oracle(&self) -> PathBuf {
        self.0.path().join("oracle")
    }

    /// The file, with a time limit for a test that fails.
    fn file(&self) -> PidFile {
        PidFile::at(self.path()).timeout(LONG)
    }

    fn held(&self) -> PidGuard {
        self.file().acquire().expect("acquire the pidfile")
    }

    /// Starts the program `holder`, which holds the file.
    fn holder(&self, options: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
        let mut holder = Program::start(command.arg("--at").arg(self.path()).args(options));
        assert!(holder.line().starts_with("held"));
        holder
    }
}

/// Starts the program `waiter`.
fn waiter(options: &[&str], path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waiter"));
    Program::start(command.args(options).arg(path))
}

/// Starts the program `waiter`, and returns when it waits for the process.
fn waiter_for(pid: u32, options: &[&str], path: &Path) -> Program {
    let mut waiter = waiter(options, path);
    waiter.expect(&format!("waiting {pid}"));
    waiter
}
