//! Commands that read the pidfile or lock it: `pgrep`, `flock` and `kill`.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use pidlock_core::{PidFile, PidFileError, PidGuard};
use pidlock_tests::{Program, has_tool, run, said, skip, stale_record, text};

use crate::holder;

fn pgrep(path: &Path) -> Command {
    let mut command = Command::new("pgrep");
    command.arg("-F").arg(path).arg("-L");
    command
}

#[test]
fn pgrep_finds_the_holder_until_it_is_killed() {
    if !has_tool("pgrep") {
        return skip("there is no pgrep");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut holder = holder(&path);
    let seen = run(&mut pgrep(&path));
    assert_eq!(said(&seen), format!("{}\n", holder.pid()));
    holder.kill();
    assert!(
        !run(&mut pgrep(&path)).status.success(),
        "pgrep must not find a killed holder"
    );
}

#[test]
fn flock_and_pidlock_exclude_each_other() {
    if !has_tool("flock") {
        return skip("there is no flock");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let flock = || {
        let mut command = Command::new("flock");
        command.arg("-n").arg(&path);
        command
    };
    let mut ours = holder(&path);
    assert_eq!(
        run(flock().arg("true")).status.code(),
        Some(1),
        "flock is refused"
    );
    ours.finish();
    assert_eq!(run(flock().arg("true")).status.code(), Some(0));

    let mut theirs = Program::start(flock().args(["sh", "-c", "echo in; read wait"]));
    theirs.expect("in");
    let error = PidFile::at(&path).acquire().expect_err("flock holds it");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { pid: None, .. }),
        "{error}"
    );
    assert_eq!(text(&path), "", "nothing was written");
    theirs.finish();
    PidFile::at(&path)
        .acquire()
        .expect("flock is gone")
        .close()
        .expect("release");
}

#[test]
fn kill_with_the_recorded_pid_ends_the_holder() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut holder = holder(&path);
    let killed = run(Command::new("sh")
        .args(["-c", "kill $(cat $1)", "-"])
        .arg(&path));
    assert!(killed.status.success(), "{}", said(&killed));
    let status = holder.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(15)
    );
}

/// Acquires and releases the file in a loop while two threads call `looks` in a loop. Ends after at
/// least 300 acquisitions and 300 calls.
fn starts_beside(looks: impl Fn(&Path) + Sync) {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let (stop, looked) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    looks(&path);
                    looked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut outcome = Ok(());
        let mut starts = 0;
        while outcome.is_ok() && (starts < 300 || looked.load(Ordering::Relaxed) < 300) {
            // The file exists before each start, so that `looks` always has a file to read.
            std::fs::write(&path, stale_record()).expect("write a stale file");
            outcome = PidFile::at(&path).acquire().and_then(PidGuard::close);
            starts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        outcome.expect("a start beside readers must succeed");
    });
}

#[test]
fn pgrep_in_a_tight_loop_makes_no_start_fail() {
    if !has_tool("pgrep") {
        return skip("there is no pgrep");
    }
    starts_beside(|path| drop(run(&mut pgrep(path))));
}

#[test]
fn status_in_a_tight_loop_makes_no_start_fail() {
    starts_beside(|path| {
        // Any status is accepted. A file that is removed during the call must not cause an error.
        PidFile::at(path).status().expect("read the status");
    });
}
