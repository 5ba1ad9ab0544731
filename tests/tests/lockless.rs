//! `lock(false)`: leftovers of dead processes beside the pidfile, and files with similar names.

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
    let entries = fs::read_dir(dir).expect("read the directory");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("read an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn start_removes_leftovers_of_dead_processes_and_no_other_files() {
    let dir = tempfile::tempdir().expect("create a directory");
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
        fs::write(dir.path().join(name), text).expect("write a file");
    }
    let guard = PidFile::new("app")
        .dir(dir.path())
        .lock(false)
        .acquire()
        .expect("acquire");
    guard.close().expect("release");
    let mut stay: Vec<_> = not_ours.iter().map(|(name, _)| name.clone()).collect();
    stay.sort();
    assert_eq!(names(dir.path()), stay);
    for (name, contents) in &not_ours {
        assert_eq!(&text(&dir.path().join(name)), contents);
    }
}

/// Creates a stale pidfile, and the files of processes that died while they took it over, one at
/// each level.
fn leave_levels(dir: &Path, highest: u32) {
    fs::write(dir.join("app.pid"), stale_record()).expect("write a stale file");
    for level in 1..=highest {
        fs::write(dir.join(format!("app.pid.t{level}")), stale_record()).expect("write a file");
    }
}

#[test]
fn start_over_six_interrupted_takeovers_succeeds() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    leave_levels(dir.path(), 6);
    let guard = PidFile::at(&path).lock(false).acquire().expect("acquire");
    assert_eq!(text(&path), format!("{}\n", std::process::id()));
    assert_eq!(names(dir.path()), ["app.pid"]);
    guard.close().expect("release");
}

#[test]
fn start_over_seven_interrupted_takeovers_fails_and_removes_nothing() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    leave_levels(dir.path(), 7);
    let before = names(dir.path());
    let error = PidFile::at(&path)
        .lock(false)
        .acquire()
        .expect_err("too many interrupted take-overs");
    let words = "remove the leftover files with the same name and .t1, .t2 and so on";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(names(dir.path()), before);
}

#[test]
fn start_whose_staging_files_vanish_creates_them_again() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let (stop, removed) = (AtomicBool::new(false), AtomicBool::new(false));
    // Only one file is removed during each start, because another start removes orphaned staging
    // files only once.
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
        // Continues at least until a staging file was removed.
        while outcome.is_ok() && (starts < 500 || !removed.load(Ordering::Relaxed)) {
            fs::write(&path, stale_record()).expect("write a stale file");
            due.store(true, Ordering::Relaxed);
            let guard = PidFile::at(&path).lock(false).acquire();
            outcome = guard.and_then(pidlock_core::PidGuard::close);
            starts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        outcome.expect("acquire and release");
    });
}

#[test]
fn start_without_write_access_reports_the_pid_of_the_holder() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as another user");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    // The other user can read and execute files here, but not write them.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir.path(), mode).expect("set the mode");
    let program = dir.path().join("holder");
    fs::copy(env!("CARGO_BIN_EXE_holder"), &program).expect("copy the program");
    let path = dir.path().join("app.pid");
    let guard = PidFile::at(&path).lock(false).acquire().expect("acquire");
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
fn second_start_of_the_holding_process_is_refused_as_locked() {
    let dir = tempfile::tempdir().expect("create a directory");
    let file = PidFile::new("app").dir(dir.path()).lock(false);
    let _guard = file.acquire().expect("acquire");
    let error = file.acquire().expect_err("this process holds the file");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { .. }),
        "{error}"
    );
    assert_eq!(error.pid(), Some(std::process::id()), "{error}");
}

/// A process must not mistake its own lockless hold for the leftover of a predecessor with the same
/// PID.
#[test]
fn locking_start_recognizes_lockless_hold_of_the_same_process() {
    let dir = tempfile::tempdir().expect("create a directory");
    let file = PidFile::new("app").dir(dir.path());
    let guard = file.clone().lock(false).acquire().expect("acquire");
    let error = file.acquire().expect_err("this process holds the file");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { .. }),
        "{error}"
    );
    let shared = file.reentrant(true).acquire().expect("acquire again");
    drop(guard);
    shared.verify().expect("the file is still held");
    let path = shared.path().to_owned();
    drop(shared);
    assert!(!path.exists());
}
