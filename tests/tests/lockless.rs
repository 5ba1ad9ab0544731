//! `lock(false)`: what dead processes left beside the pidfile, and what only looks like it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{
    NONEXISTENT_PID, ORDINARY_UID, Program, is_root, skip_for_this_user, stale_record, text,
};

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_dead_processes_left_goes_and_what_only_looks_like_it_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let left = [
        (
            format!(".app.pid.{NONEXISTENT_PID}-0.pidlock"),
            stale_record(),
        ),
        (
            format!(".app.pid.{NONEXISTENT_PID}-3.pidlock"),
            String::new(),
        ),
        (
            format!(".app.pid.{}-4.pidlock", std::process::id()),
            format!("{}\n", std::process::id()),
        ),
    ];
    let not_ours = [
        (".app.pid.2024-05".to_owned(), "my notes".to_owned()),
        (
            format!(".app.pid.{NONEXISTENT_PID}-1.pidlock"),
            "my notes".to_owned(),
        ),
        (
            format!(".app.pid.{NONEXISTENT_PID}-2.pidlock"),
            "12345\n".to_owned(),
        ),
        (
            format!(".other.pid.{NONEXISTENT_PID}-0.pidlock"),
            stale_record(),
        ),
        ("app.pid.txt".to_owned(), stale_record()),
    ];
    for (name, text) in left.iter().chain(&not_ours) {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let guard = PidFile::new("app")
        .dir(dir.path())
        .lock(false)
        .acquire()
        .expect("a start");
    guard.close().expect("an end");
    let mut stay: Vec<_> = not_ours.iter().map(|(name, _)| name.clone()).collect();
    stay.sort();
    assert_eq!(names(dir.path()), stay);
    for (name, contents) in &not_ours {
        assert_eq!(&text(&dir.path().join(name)), contents);
    }
}

/// One for each process that died while it took a stale file over.
fn leave_levels(dir: &Path, highest: u32) {
    fs::write(dir.join("app.pid"), stale_record()).expect("a stale file");
    for level in 1..=highest {
        fs::write(dir.join(format!("app.pid.t{level}")), stale_record()).expect("a file");
    }
}

#[test]
fn as_many_interrupted_takeovers_as_are_allowed_are_no_obstacle() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    leave_levels(dir.path(), 6);
    let guard = PidFile::at(&path).lock(false).acquire().expect("a start");
    assert_eq!(text(&path), format!("{}\n", std::process::id()));
    assert_eq!(names(dir.path()), ["app.pid"]);
    guard.close().expect("an end");
}

#[test]
fn more_interrupted_takeovers_than_allowed_are_named_and_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    leave_levels(dir.path(), 7);
    let before = names(dir.path());
    let error = PidFile::at(&path)
        .lock(false)
        .acquire()
        .expect_err("too many");
    let words = "remove the leftover files with the same name and .t1, .t2 and so on";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(names(dir.path()), before);
}

#[test]
fn private_files_that_vanish_are_written_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let (stop, removed) = (AtomicBool::new(false), AtomicBool::new(false));
    // One for each start, as no sweep of another process comes twice at the wrong moment.
    let due = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for level in 0..2 {
                    let name = format!(".app.pid.{}-{level}.pidlock", std::process::id());
                    let due_now = due.load(Ordering::Relaxed);
                    if due_now && fs::remove_file(dir.path().join(name)).is_ok() {
                        due.store(false, Ordering::Relaxed);
                        removed.store(true, Ordering::Relaxed);
                    }
                }
            }
        });
        let mut outcome = Ok(());
        let mut starts = 0;
        // Not before there was something to be written again.
        while outcome.is_ok() && (starts < 500 || !removed.load(Ordering::Relaxed)) {
            fs::write(&path, stale_record()).expect("a stale file");
            due.store(true, Ordering::Relaxed);
            let guard = PidFile::at(&path).lock(false).acquire();
            outcome = guard.and_then(pidlock_core::PidGuard::close);
            starts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        outcome.expect("a start and an end");
    });
}

#[test]
fn read_only_access_reports_running_pid() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as somebody else");
    }
    let dir = tempfile::tempdir().expect("a directory");
    // Where the other user can look and run, but not write.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir.path(), mode).expect("a mode");
    let program = dir.path().join("holder");
    fs::copy(env!("CARGO_BIN_EXE_holder"), &program).expect("a copy that others can run");
    let path = dir.path().join("app.pid");
    let guard = PidFile::at(&path).lock(false).acquire().expect("a start");
    let mut command = Command::new(&program);
    command.arg("--at").arg(&path).arg("--no-lock");
    std::os::unix::process::CommandExt::uid(&mut command, ORDINARY_UID);
    let words = Program::start(&mut command).line();
    let expected = format!(
        "refused: pidfile '{}': process {} is running",
        path.display(),
        guard.pid()
    );
    assert!(words.starts_with(&expected), "{words}");
}

#[test]
fn a_second_hold_of_this_process_is_not_told_to_remove_the_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = PidFile::new("app").dir(dir.path()).lock(false);
    let _guard = file.acquire().expect("a start");
    let error = file.acquire().expect_err("held");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { .. }),
        "{error}"
    );
    assert!(
        error.to_string().ends_with("is running (this process)"),
        "{error}"
    );
}

/// One process must not take its own hold without a lock for a predecessor's left-over.
#[test]
fn a_start_with_a_lock_knows_the_hold_of_this_process_without_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = PidFile::new("app").dir(dir.path());
    let guard = file.clone().lock(false).acquire().expect("a start");
    let error = file.acquire().expect_err("held");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { .. }),
        "{error}"
    );
    let shared = file.reentrant(true).acquire().expect("a share");
    drop(guard);
    shared.verify().expect("still held");
    let path = shared.path().to_owned();
    drop(shared);
    assert!(!path.exists());
}
