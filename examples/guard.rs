//! The guard without the attribute, for programs that choose what to do when a start is refused.
//!
//! `cargo run --example guard` works for five seconds, or for the number of seconds in its
//! argument.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};

fn main() -> ExitCode {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(5);
    match PidFile::new("pidlock-guard")
        .temp_dir(true)
        .mode(0o600)
        .acquire()
    {
        Ok(guard) => {
            println!(
                "doing the work as PID {}, see {}",
                guard.pid(),
                guard.path().display()
            );
            thread::sleep(Duration::from_secs(seconds));
            // Dropping the guard also releases the file, but `close` returns errors.
            if let Err(error) = guard.close() {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(PidFileError::AlreadyLocked { pid: Some(pid), .. }) => {
            println!("nothing to do: process {pid} is at it");
            ExitCode::SUCCESS
        }
        Err(PidFileError::AlreadyLocked { .. }) => {
            println!("nothing to do: another process is at it");
            ExitCode::SUCCESS
        }
        Err(PidFileError::AlreadyRunning { path, pid, .. }) => {
            println!(
                "process {pid}, named by {}, runs without the lock",
                path.display()
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
