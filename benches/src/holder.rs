//! A child process that holds a pidfile.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{place, python};

/// A child process that holds a pidfile until this value is dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Starts a holder that uses the contender with this key.
    #[must_use]
    pub fn contender(key: &str, path: &Path) -> Self {
        Self::start(Command::new(place::built().join("rival")).arg(key), path)
    }

    /// Starts a holder that uses the Python module with this key.
    #[must_use]
    pub fn module(interpreter: &Path, key: &str, path: &Path) -> Self {
        let script = python::folder().join("operations.py");
        Self::start(Command::new(interpreter).arg(script).arg(key), path)
    }

    fn start(command: &mut Command, path: &Path) -> Self {
        let mut child = command
            .arg("hold")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut said = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        BufReader::new(output)
            .read_line(&mut said)
            .expect("read a line");
        assert_eq!(said, "held\n", "{command:?}");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The process exits when its stdin is closed.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
