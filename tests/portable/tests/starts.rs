//! Two starts, and what is left by a process that ended.

use std::fs;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError, Status, on_error, pidfile};
use pidlock_portable::{
    NONEXISTENT_PID, Running, TempDir, holder, program, protocols, run, said, visible,
};

/// With the kernel's lock, and without.

#[test]
fn second_start_of_an_annotated_main_is_refused_with_message_and_status() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut first = Running::start(program("attribute").env("PIDFILE", &path));
    let pid = visible(first.pid());
    let text = fs::read_to_string(&path).ok();
    assert_eq!(text, pid.map(|pid| format!("{pid}\n")));

    let second = run(program("attribute").env("PIDFILE", &path));
    assert_eq!(second.status.code(), Some(1));
    let message = format!("Error: pidfile '{}' already locked by", path.display());
    match pid {
        Some(pid) => assert_eq!(said(&second), format!("{message} PID {pid}")),
        None => assert!(said(&second).starts_with(&format!("{message} an unknown process"))),
    }

    assert_eq!(first.end(), Some(0));
    assert!(!path.exists());
    let mut third = Running::start(program("attribute").env("PIDFILE", &path));
    assert_eq!(third.end(), Some(0));
}

#[pidfile(path = dir.path(&format!("worker-{id}.pid")))]
fn work(dir: &TempDir, id: u32, inside: impl FnOnce()) -> Result<(), PidFileError> {
    assert!(dir.path(&format!("worker-{id}.pid")).exists());
    inside();
    Ok(())
}

#[pidfile(path = dir.path("worker-1.pid"), on_error = on_error::skip)]
fn skipped(dir: &TempDir) -> u32 {
    assert!(dir.path("worker-1.pid").exists());
    1
}

#[test]
fn annotated_workers_exclude_each_other_by_file() {
    let dir = TempDir::new();
    work(&dir, 1, || {
        thread::scope(|scope| {
            let same = scope.spawn(|| work(&dir, 1, || panic!("two are inside")));
            let refused = same.join().expect("join the same worker");
            assert!(
                matches!(refused, Err(PidFileError::AlreadyLocked { .. })),
                "{refused:?}"
            );
            let other = scope.spawn(|| work(&dir, 2, || {}));
            other
                .join()
                .expect("join another worker")
                .expect("another worker runs");
        });
        assert_eq!(skipped(&dir), 0);
    })
    .expect("the first worker runs");
    assert_eq!(skipped(&dir), 1);
    assert!(!dir.path("worker-1.pid").exists());
}

#[test]
fn file_of_a_killed_process_is_taken_over_at_once() {
    for &options in protocols() {
        let lock = options.is_empty();
        let dir = TempDir::new();
        let path = dir.path("app.pid");
        let file = PidFile::at(&path).lock(lock);
        for _ in 0..5 {
            let mut killed = Running::start(&mut holder(&path, options));
            let refused = run(&mut holder(&path, options));
            assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
            killed.kill();
            let pid = killed.pid();
            assert_eq!(file.status().expect("check"), Status::Stale { pid });
            let mut next = Running::start(&mut holder(&path, options));
            assert_eq!(next.end(), Some(0));
            assert!(!path.exists());
        }
    }
}

#[test]
fn restart_without_a_pause_is_never_refused() {
    for &options in protocols() {
        let dir = TempDir::new();
        let path = dir.path("app.pid");
        for _ in 0..20 {
            Running::start(&mut holder(&path, options)).kill();
        }
        assert_eq!(Running::start(&mut holder(&path, options)).end(), Some(0));
    }
}

#[test]
fn status_tells_what_is_there() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let file = PidFile::at(&path);
    let status = || file.status().expect("check");
    assert_eq!(status(), Status::NoFile);
    fs::write(&path, "").expect("write");
    assert_eq!(status(), Status::Empty);
    fs::write(&path, format!("{NONEXISTENT_PID}\n")).expect("write");
    assert_eq!(
        status(),
        Status::Stale {
            pid: NONEXISTENT_PID
        }
    );

    let mut running = Running::start(&mut holder(&path, &[]));
    let pid = visible(running.pid());
    assert_eq!(status(), Status::Locked { pid });
    let refused = file.acquire().expect_err("it is held");
    assert!(
        matches!(refused, PidFileError::AlreadyLocked { .. }),
        "{refused}"
    );
    assert_eq!(refused.pid(), pid);
    running.end();
    assert_eq!(status(), Status::NoFile);

    let guard = file.acquire().expect("acquire");
    assert_eq!(status(), Status::HeldBySelf);
    guard.verify().expect("it is this process's");
    guard.close().expect("release");
}

#[test]
fn process_that_does_not_lock_refuses_a_start() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let other = Running::start(&mut holder(&dir.path("other.pid"), &[]));
    let pid = other.pid();
    fs::write(&path, format!("{pid}\n")).expect("write");
    let file = PidFile::at(&path);
    assert_eq!(
        file.status().expect("check"),
        Status::RunningUnlocked { pid }
    );
    let refused = file.acquire().expect_err("the process is running");
    assert!(
        matches!(refused, PidFileError::AlreadyRunning { .. }),
        "{refused}"
    );
    drop(other);
    file.acquire()
        .expect("the process is gone")
        .close()
        .expect("release");
}

#[test]
fn process_younger_than_the_file_does_not_refuse_a_start() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let other = Running::start(&mut holder(&dir.path("other.pid"), &[]));
    fs::write(&path, format!("{}\n", other.pid())).expect("write");
    let written = std::time::SystemTime::now() - Duration::from_secs(60);
    let opened = fs::File::options().write(true).open(&path).expect("open");
    // Both times, because bindfs does not change one alone.
    let times = fs::FileTimes::new().set_accessed(written);
    if let Err(error) = opened.set_times(times.set_modified(written)) {
        // The file system shows the file as another user's.
        return println!("the time of a file cannot be changed here: {error}");
    }
    drop(opened);
    let guard = PidFile::at(&path).acquire().expect("the PID is reused");
    guard.close().expect("release");
}

#[test]
fn kept_file_is_emptied_and_used_again() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    for _ in 0..3 {
        assert_eq!(Running::start(&mut holder(&path, &["keep"])).end(), Some(0));
        assert_eq!(fs::read_to_string(&path).expect("the file is kept"), "");
    }
}

#[test]
fn reentrant_file_is_released_with_its_last_guard() {
    let dir = TempDir::new();
    for options in protocols() {
        let file = PidFile::at(dir.path("app.pid")).lock(options.is_empty());
        let first = file.clone().reentrant(true).acquire().expect("acquire");
        let refused = file.acquire().expect_err("not reentrant");
        assert_eq!(refused.pid(), Some(std::process::id()));
        let second = file.clone().reentrant(true).acquire().expect("once more");
        first.close().expect("release the first");
        second.verify().expect("it is still held");
        second.close().expect("release the last");
        assert!(!dir.path("app.pid").exists());
    }
}
