//! Python's `pid` and `filelock`, in one Python process that times itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::operation::Operation;

/// What is measured there.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// On command lines, and as part of file names.
    pub key: &'static str,
    /// In tables.
    pub name: &'static str,
    /// What it does not do that others do.
    pub skips: &'static str,
    has_status: bool,
}

impl Module {
    /// Whether it can do an operation.
    #[must_use]
    pub fn can(&self, operation: Operation) -> bool {
        self.has_status || operation != Operation::Status
    }
}

/// All of them.
pub const MODULES: &[Module] = &[
    Module {
        key: "pid",
        name: "Python `pid` 3.0.4",
        skips: "does not exclude across a release; refused, it names no holder",
        has_status: true,
    },
    Module {
        key: "filelock",
        name: "Python `filelock` 4.2",
        skips: "writes no PID; leaves the file; names no holder; has no status",
        has_status: false,
    },
];

/// The folder with the programs in Python.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// A Python with those modules, made if it is not there yet.
///
/// # Panics
///
/// If it cannot be made: no `python3`, or no package index.
#[must_use]
pub fn interpreter(target: &Path) -> PathBuf {
    let environment = target.join("python");
    let status = Command::new(folder().join("environment.sh"))
        .arg(&environment)
        .status()
        .expect("bash runs");
    assert!(status.success(), "no Python environment");
    environment.join("bin/python")
}

/// A Python process that does one batch after the other.
#[derive(Debug)]
pub struct Python {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(interpreter: &Path) -> Self {
        let mut child = Command::new(interpreter)
            .arg(folder().join("operations.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let asks = child.stdin.take().expect("its input is piped");
        let answers = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self {
            child,
            asks,
            answers,
        }
    }

    /// How long one operation takes, of `count` in a row.
    ///
    /// # Panics
    ///
    /// If it does not say.
    pub fn time(
        &mut self,
        module: &Module,
        operation: Operation,
        path: &Path,
        count: u64,
    ) -> Duration {
        let (key, operation, path) = (module.key, operation.name(), path.display());
        writeln!(self.asks, "{key} {operation} {count} {path}").expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        Duration::from_nanos(answer.trim_end().parse().expect("nanoseconds"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
