//! What is particular to processes on Windows: how they end, and what is known about them.

#![cfg(windows)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_portable::{Running, TempDir, deny_access, holder, is_beyond_wine};

/// The function `hold` of this package's library, which `rundll32` calls in a process of its own.
fn library(path: &Path, end: &str) -> Command {
    let test = std::env::current_exe().expect("find the test");
    let mut command = Command::new("rundll32.exe");
    let function = format!(
        "{},hold",
        test.with_file_name("pidlock_portable.dll").display()
    );
    command.arg(function).env("PIDFILE", path).env("END", end);
    command
}

#[test]
fn every_end_by_exit_process_removes_the_file() {
    let ends = match is_beyond_wine("Ctrl-Break") {
        true => &["exit", "thread", "return", "ctrl-c"][..],
        false => &["exit", "thread", "return", "ctrl-c", "ctrl-break"],
    };
    for end in ends {
        let dir = TempDir::new();
        let path = dir.path("app.pid");
        Running::start(&mut library(&path, end)).end();
        assert!(!path.exists(), "{end}");
    }
}

#[test]
fn handled_console_event_leaves_the_file_to_the_guard() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut running = Running::start(&mut library(&path, "handled ctrl-c"));
    assert_eq!(running.end(), Some(7));
    assert!(!path.exists());
}

#[test]
fn process_that_may_not_be_queried_counts_as_running() {
    let dir = TempDir::new();
    let [locked, unlocked] = ["locked.pid", "unlocked.pid"].map(|name| dir.path(name));
    let running = Running::start(&mut holder(&locked, &[]));
    let pid = running.pid();
    fs::write(&unlocked, format!("{pid}\n")).expect("write");
    let holder = PidFile::at(&locked).holder().expect("find the holder");
    let holder = holder.expect("it is running");
    deny_access(&running.child);

    let file = PidFile::at(&locked);
    let status = file.status().expect("check");
    assert_eq!(status, Status::Locked { pid: Some(pid) });
    let refused = file.acquire().expect_err("it is held");
    assert!(refused.is_contention(), "{refused}");
    assert_eq!(refused.pid(), Some(pid));
    for (error, words) in [
        (file.holder().map(drop), "cannot find process"),
        (holder.kill(), "cannot signal process"),
    ] {
        let error = error.expect_err("access is denied").to_string();
        assert!(error.starts_with(words), "{error}");
        assert!(error.ends_with("(os error 5)"), "{error}");
    }

    let file = PidFile::at(&unlocked);
    let status = file.status().expect("check");
    assert_eq!(status, Status::RunningUnlocked { pid });
    let refused = file.acquire().expect_err("the process is running");
    assert!(
        matches!(refused, PidFileError::AlreadyRunning { .. }),
        "{refused}"
    );
}

#[test]
fn number_after_a_pid_is_no_process() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let pid = std::process::id() + 1;
    fs::write(&path, format!("{pid}\n")).expect("write");
    let file = PidFile::at(&path);
    assert_eq!(file.status().expect("check"), Status::Stale { pid });
    file.acquire().expect("take over").close().expect("release");
}

#[test]
fn killed_holder_leaves_a_file_that_the_next_start_takes_over() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut running = Running::start(&mut holder(&path, &[]));
    let pid = running.pid();
    let file = PidFile::at(&path);
    let holder = file.holder().expect("find").expect("it is held");
    assert_eq!(holder.pid(), pid);
    let start = Instant::now();
    let is_gone = holder.wait_gone(Duration::from_millis(100));
    assert!(!is_gone.expect("wait"));
    assert!(start.elapsed() >= Duration::from_millis(50)); // timers of Windows are coarse
    holder.kill().expect("kill");
    assert!(holder.wait_gone(Duration::from_secs(60)).expect("wait"));
    holder.kill().expect("nothing is left to kill");
    assert_eq!(running.end(), Some(1));
    assert_eq!(file.status().expect("check"), Status::Stale { pid });
    file.acquire().expect("take over").close().expect("release");
}
