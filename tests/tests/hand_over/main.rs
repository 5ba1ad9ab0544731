//! A pidfile is handed over to a successor: the lock is never free, and exactly one process is the
//! owner.
#![cfg(unix)]

mod model;
mod refusals;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod steps;
mod storm;
mod successors;

use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, text};
use tempfile::TempDir;

/// A directory for one pidfile.
struct Place {
    _dir: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        Self { _dir: dir, path }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_upgrader"));
        command.arg(&self.path).args(arguments.split_whitespace());
        command
    }

    fn start(&self, arguments: &str) -> Program {
        Program::start(&mut self.command(arguments))
    }

    /// Asserts that this process holds the file: the file names it, and so does a refusal.
    fn assert_holder(&self, pid: u32) {
        assert_eq!(text(&self.path), format!("{pid}\n"));
        assert_eq!(refused(&self.path), Some(pid));
    }

    fn assert_free(&self) {
        let guard = PidFile::at(&self.path).acquire();
        guard.expect("the file is free").close().expect("release");
    }
}

/// Starts, and returns the PID that the refusal names.
fn refused(path: &Path) -> Option<u32> {
    match PidFile::at(path).acquire() {
        Err(PidFileError::AlreadyLocked { pid, .. }) => pid,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Reads a line of `upgrader`: a PID, and what that process says.
fn line(program: &mut Program) -> (u32, String) {
    let line = program.line();
    parse(&line).unwrap_or_else(|| panic!("unexpected line {line:?}"))
}

fn parse(line: &str) -> Option<(u32, String)> {
    let (pid, what) = line.split_once(' ')?;
    Some((pid.parse().ok()?, what.to_owned()))
}
