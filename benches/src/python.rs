//! Python's `pid` and `filelock`, in one Python process that measures its own times.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::operation::Operation;

/// A measured Python module.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// The key on command lines and in file names.
    pub key: &'static str,
    /// The name in tables.
    pub name: &'static str,
    /// The missing features, as listed in tables.
    pub skips: &'static str,
    has_status: bool,
}

impl Module {
    /// Returns `true` if the module supports the operation.
    #[must_use]
    pub fn can(&self, operation: Operation) -> bool {
        self.has_status || operation != Operation::Status
    }
}

/// All measured modules.
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

/// Returns the directory of the Python programs.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Returns an interpreter with the measured modules. Creates its environment if necessary.
///
/// # Panics
///
/// If the environment cannot be created, for example without `python3` or a package index.
#[must_use]
pub fn interpreter(target: &Path) -> PathBuf {
    let environment = target.join("python");
    let status = Command::new(folder().join("environment.sh"))
        .arg(&environment)
        .status()
        .expect("run environment.sh");
    assert!(status.success(), "create the Python environment");
    environment.join("bin/python")
}

/// A Python process that runs batches of operations on request.
#[derive(Debug)]
pub struct Python {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the process.
    ///
    /// # Panics
    ///
    /// If the process cannot be started.
    #[must_use]
    pub fn start(interpreter: &Path) -> Self {
        let mut child = Command::new(interpreter)
            .arg(folder().join("operations.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start Python");
        let asks = child.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self {
            child,
            asks,
            answers,
        }
    }

    /// Runs an operation `count` times, and returns the mean time.
    ///
    /// # Panics
    ///
    /// If the process does not answer.
    pub fn time(
        &mut self,
        module: &Module,
        operation: Operation,
        path: &Path,
        count: u64,
    ) -> Duration {
        let (key, operation, path) = (module.key, operation.name(), path.display());
        writeln!(self.asks, "{key} {operation} {count} {path}").expect("write the request");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("read the answer");
        Duration::from_nanos(answer.trim_end().parse().expect("parse nanoseconds"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
