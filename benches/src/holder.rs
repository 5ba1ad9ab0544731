//! Another process that holds a file.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{place, python};

/// Holds until it is dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Who holds as the contender with this key does.
    #[must_use]
    pub fn contender(key: &str, path: &Path) -> Self {
        Self::start(Command::new(place::built().join("rival")).arg(key), path)
    }

    /// Who holds as the Python module with this key does.
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
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut said).expect("a line");
        assert_eq!(said, "held\n", "{command:?}");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
