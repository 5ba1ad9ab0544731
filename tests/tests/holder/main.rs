//! Which process holds a pidfile, and how it is stopped and replaced. A process that merely has the
//! recorded PID is never signalled.
#![cfg(target_os = "linux")]

mod confirm;
mod hidden;
mod replace;
mod reuse;
mod stop;
#[cfg(target_arch = "x86_64")]
mod traced;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, text};

/// Longer than any of the tests takes.
const LONG: Duration = Duration::from_secs(60);

/// A directory for one pidfile.
struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        Self { _dir: dir, path }
    }

    fn file(&self) -> PidFile {
        PidFile::at(&self.path)
    }

    /// Starts the program `holder`, and waits until it holds the file.
    fn hold(&self, arguments: &[&str]) -> Program {
        hold(&self.path, arguments)
    }

    /// Asserts that the recorded process is not confirmed as the holder. Returns the message.
    fn check_unconfirmed(&self, recorded: Option<u32>) -> String {
        check_unconfirmed(&self.file(), recorded)
    }
}

fn hold(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    let mut holder = Program::start(command.arg("--at").arg(path).args(arguments));
    holder.expect(&format!("held {}", path.display()));
    holder
}

fn check_unconfirmed(file: &PidFile, recorded: Option<u32>) -> String {
    let error = file.holder().expect_err("the holder is not confirmed");
    let is_right = matches!(error, PidFileError::Unconfirmed { pid, .. } if pid == recorded);
    assert!(is_right, "{error:#?}");
    let stopped = file.stop(LONG).expect_err("the holder is not confirmed");
    assert_eq!(stopped.to_string(), error.to_string());
    error.to_string()
}

/// Starts a process that has nothing to do with the pidfile, and is terminated by SIGTERM.
fn stranger() -> Program {
    Program::start(&mut Command::new("cat"))
}

/// Asserts that the process has not got a signal.
fn check_untouched(mut stranger: Program) {
    stranger.tell("untouched");
    stranger.expect("untouched");
    let (status, _) = stranger.finish();
    assert!(status.success(), "{status}");
}

fn assert_terminated(program: &mut Program) {
    let status = program.wait();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status}");
}

/// Contents, inode, mode and modification time.
fn observe(path: &Path) -> (String, [u64; 2], [i64; 2]) {
    let stat = fs::metadata(path).expect("the file exists");
    let written = [stat.mtime(), stat.mtime_nsec()];
    (text(path), [stat.ino(), stat.mode().into()], written)
}
