//! The life cycle of a pidfile in real processes: acquired, refused, taken over, released.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_tests::{
    NONEXISTENT_PID, Program, dead_pid, is_root, skip_for_this_user, stale_record, text,
};

fn holder(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.arg("--at").arg(path);
    command
}

/// Starts a holder and waits until it holds the pidfile.
fn start(command: &mut Command) -> Program {
    let mut program = Program::start(command);
    let line = program.line();
    assert!(line.starts_with("held "), "{line}");
    program
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("create a directory")
}

/// Everything about the file that a refused start must not change.
fn snapshot(path: &Path) -> (Vec<u8>, u32, u32, u32, SystemTime, u64) {
    let metadata = fs::symlink_metadata(path).expect("read the file's metadata");
    (
        fs::read(path).expect("read the file"),
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.modified().expect("read the modification time"),
        metadata.ino(),
    )
}

#[test]
fn second_start_is_refused_with_the_holders_pid_and_changes_nothing() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let first = start(&mut holder(&path));
    assert_eq!(text(&path), format!("{}\n", first.pid()));
    let before = snapshot(&path);

    let mut second = Program::start(holder(&path).args(["--mode", "600"]));
    second.expect(&format!(
        "refused: pidfile '{}' already locked by PID {}",
        path.display(),
        first.pid()
    ));
    assert_eq!(second.wait().code(), Some(3));
    assert_eq!(snapshot(&path), before);
    let status = PidFile::at(&path).status().expect("read the status");
    assert!(
        matches!(status, Status::Locked { pid: Some(pid) } if pid == first.pid()),
        "{status:?}"
    );
    assert_eq!(snapshot(&path), before);
}

#[test]
fn normal_exit_removes_the_file() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut first = start(&mut holder(&path));
    let (status, said) = first.finish();
    assert_eq!((status.code(), said.as_str()), (Some(0), "closed\n"));
    assert!(!path.exists());
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("list the directory")
            .count(),
        0
    );
}

#[test]
fn start_after_sigkill_takes_the_file_over() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for flags in [&[][..], &["--no-lock"], &["--keep"]] {
        let mut first = start(holder(&path).args(flags));
        first.kill();
        assert_eq!(
            text(&path),
            format!("{}\n", first.pid()),
            "a crash leaves the file"
        );
        let mut second = start(holder(&path).args(flags));
        assert_eq!(text(&path), format!("{}\n", second.pid()));
        second.finish();
        assert_eq!(text(&path), "");
    }
}

/// A killed process releases its lock some milliseconds before its PID disappears.
#[test]
fn killed_process_whose_lock_is_free_counts_as_gone() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for _ in 0..100 {
        let first = start(&mut holder(&path));
        let looker = fs::File::open(&path).expect("open the pidfile");
        let pid = i32::try_from(first.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a valid PID");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill the holder");
        // Wait for the lock, not for the exit of the process.
        rustix::fs::flock(&looker, rustix::fs::FlockOperation::LockShared)
            .expect("lock the pidfile");
        drop(looker);
        let second = PidFile::at(&path)
            .acquire()
            .expect("acquire the stale pidfile");
        second.close().expect("release the pidfile");
    }
}

#[test]
fn stale_records_of_any_form_are_taken_over() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let records = [
        stale_record(),
        dead_pid().to_string(),
        // Our own PID, as PID 1 finds it in a restarted container.
        format!("{}\n", std::process::id()),
        String::new(),
        "\n".into(),
        " \t\r\n".into(),
        "\0".repeat(6),
        "\0".repeat(4096),
        // Padded by a writer that was killed before it truncated the file.
        format!("{NONEXISTENT_PID}{}", "\n".repeat(500)),
    ];
    for lock in [true, false] {
        for record in &records {
            fs::write(&path, record).expect("write a record");
            let guard = PidFile::at(&path).lock(lock).acquire();
            let guard = guard.unwrap_or_else(|error| panic!("{record:?}: {error}"));
            assert_eq!(
                text(&path),
                format!("{}\n", std::process::id()),
                "{record:?}"
            );
            guard.close().expect("release the pidfile");
            assert!(!path.exists());
        }
    }
}

#[test]
fn reused_pid_is_stale_and_pid_of_a_possible_writer_is_not() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut stranger = Program::start(&mut Command::new("cat"));
    fs::write(&path, format!("{}\n", stranger.pid())).expect("write a record");

    // The process started before the file was written, so it can be a writer that does not lock.
    let file = PidFile::at(&path);
    match file.acquire() {
        Err(PidFileError::AlreadyRunning { pid, .. }) => assert_eq!(pid, stranger.pid()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(file.status(), Ok(Status::RunningUnlocked { pid }) if pid == stranger.pid()));

    // The process started an hour after the write, so the PID belonged to another process.
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let open = fs::File::options()
        .write(true)
        .open(&path)
        .expect("open the file");
    open.set_modified(an_hour_ago)
        .expect("set the modification time");
    drop(open);
    assert!(matches!(file.status(), Ok(Status::Stale { .. })));
    file.acquire()
        .expect("acquire a pidfile with a reused PID")
        .close()
        .expect("release the pidfile");

    // With `lock(false)` the PID is the only evidence of a holder, so the PID of a running process
    // never counts as reused.
    fs::write(&path, format!("{}\n", stranger.pid())).expect("write a record");
    let open = fs::File::options()
        .write(true)
        .open(&path)
        .expect("open the file");
    open.set_modified(an_hour_ago)
        .expect("set the modification time");
    let error = PidFile::at(&path)
        .lock(false)
        .acquire()
        .expect_err("the process is alive");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { .. }),
        "{error}"
    );
    stranger.finish();
}

#[test]
fn record_with_the_pid_of_a_zombie_is_stale() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let mut zombie = Program::start(&mut Command::new("cat"));
        zombie.go_on();
        assert_eq!(zombie.line(), "", "the process has closed its output");
        fs::write(&path, format!("{}\n", zombie.pid())).expect("write a record");
        let file = PidFile::at(&path).lock(lock);
        // The process closes its output shortly before it becomes a zombie.
        while matches!(file.status(), Ok(Status::RunningUnlocked { .. })) {
            std::thread::yield_now();
        }
        file.acquire()
            .expect("acquire a zombie's pidfile")
            .close()
            .expect("release the pidfile");
        zombie.wait();
    }
}

#[test]
fn record_with_a_thread_id_is_stale() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let (tell, told) = std::sync::mpsc::channel();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get())
            .expect("send the thread ID");
        let _ = wait.recv();
    });
    fs::write(
        &path,
        format!("{}\n", told.recv().expect("receive the thread ID")),
    )
    .expect("write a record");
    PidFile::at(&path)
        .acquire()
        .expect("acquire a pidfile with a thread ID")
        .close()
        .expect("release the pidfile");
    drop(end);
    thread.join().expect("join the thread");
}

#[test]
fn requested_mode_is_exact_with_any_umask() {
    let dir = dir();
    for (umask, mode) in [
        ("000", 0o600),
        ("077", 0o644),
        ("777", 0o666),
        ("022", 0o664),
    ] {
        for there_before in [false, true] {
            let path = dir
                .path()
                .join(format!("{umask}-{mode:o}-{there_before}.pid"));
            if there_before {
                fs::write(&path, stale_record()).expect("write a stale file");
            }
            let mut shell = Command::new("sh");
            shell.args(["-c", "umask $1; exec $2 --at $3 --mode $4", "-", umask]);
            shell.args([
                env!("CARGO_BIN_EXE_holder"),
                path.to_str().expect("a UTF-8 path"),
            ]);
            let holder = start(shell.arg(format!("{mode:o}")));
            let found = fs::metadata(&path)
                .expect("read the metadata")
                .permissions()
                .mode()
                & 0o777;
            assert_eq!(found, mode, "umask {umask}, existed before: {there_before}");
            drop(holder);
        }
    }
}

#[test]
fn requested_owner_and_group_are_set() {
    if !is_root() {
        return skip_for_this_user("only root can change the owner of a file");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let guard = PidFile::at(&path)
            .uid(12)
            .gid(34)
            .lock(lock)
            .acquire()
            .expect("acquire the pidfile");
        let metadata = fs::metadata(&path).expect("read the metadata");
        assert_eq!((metadata.uid(), metadata.gid()), (12, 34));
        guard.close().expect("release the pidfile");
        assert!(!path.exists());
    }
}

#[test]
fn start_that_cannot_set_the_owner_leaves_no_file() {
    if is_root() {
        return skip_for_this_user("root can change the owner of any file");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let error = PidFile::at(&path)
            .uid(0)
            .lock(lock)
            .acquire()
            .expect_err("the user cannot change the owner");
        assert!(
            error
                .to_string()
                .contains("cannot change the owner or mode of pidfile"),
            "{error}"
        );
        assert_eq!(
            fs::read_dir(dir.path())
                .expect("list the directory")
                .count(),
            0
        );
    }
}

#[test]
fn missing_directory_is_created_and_stays() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path().join("a/b"))
        .acquire()
        .expect("acquire the pidfile");
    assert_eq!(guard.path(), dir.path().join("a/b/app.pid"));
    guard.close().expect("release the pidfile");
    assert!(
        dir.path().join("a/b").is_dir(),
        "the directory stays, because other programs can have files in it"
    );
    let guard = PidFile::at(dir.path().join("c/d/lock"))
        .lock(false)
        .acquire()
        .expect("acquire the pidfile");
    guard.close().expect("release the pidfile");
}

#[test]
fn relative_directory_is_resolved_when_acquiring() {
    let dir = dir();
    let mut shell = Command::new(env!("CARGO_BIN_EXE_holder"));
    let mut holder = Program::start(
        shell
            .args(["--dir", "sub", "--name", "app"])
            .current_dir(dir.path()),
    );
    let path = dir
        .path()
        .canonicalize()
        .expect("resolve the directory")
        .join("sub/app.pid");
    holder.expect(&format!("held {}", path.display()));
    holder.finish();
    assert!(!path.exists());
}

#[test]
fn removed_or_replaced_file_is_reported_and_not_touched() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let guard = PidFile::at(&path)
            .lock(lock)
            .acquire()
            .expect("acquire the pidfile");
        fs::remove_file(&path).expect("remove the held file");
        assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
        assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
        assert!(!path.exists());

        let guard = PidFile::at(&path)
            .lock(lock)
            .acquire()
            .expect("acquire the pidfile");
        fs::remove_file(&path).expect("remove the held file");
        fs::write(&path, "theirs").expect("write another file");
        assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
        drop(guard);
        assert_eq!(text(&path), "theirs");
        fs::remove_file(&path).expect("remove the other file");
    }
}

#[test]
fn release_of_a_removed_file_does_not_affect_the_next_holder() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let first = PidFile::at(&path).acquire().expect("acquire the pidfile");
    fs::remove_file(&path).expect("remove the held file");
    let second = start(&mut holder(&path));
    drop(first);
    assert_eq!(
        text(&path),
        format!("{}\n", second.pid()),
        "the first holder does not touch the second holder's file"
    );
    assert_eq!(
        PidFile::at(&path)
            .acquire()
            .expect_err("the pidfile is held")
            .pid(),
        Some(second.pid())
    );
}

#[test]
fn release_in_a_moved_directory_leaves_an_empty_file() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path().join("old"))
        .acquire()
        .expect("acquire the pidfile");
    fs::rename(dir.path().join("old"), dir.path().join("new")).expect("rename the directory");
    assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
    let moved = PidFile::new("app").dir(dir.path().join("new"));
    assert_eq!(moved.status().expect("read the status"), Status::Empty);
    moved
        .acquire()
        .expect("acquire the pidfile")
        .close()
        .expect("release the pidfile");
}

#[test]
fn overwritten_record_is_reported_by_verify() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path())
        .acquire()
        .expect("acquire the pidfile");
    guard.verify().expect("the record is intact");
    fs::write(guard.path(), stale_record()).expect("overwrite the record");
    let error = guard.verify().expect_err("the record names another PID");
    assert!(matches!(error, PidFileError::Unreadable { .. }), "{error}");
    // The file of a holder must not be removed.
    let advice = ": another program has written to it";
    assert!(error.to_string().ends_with(advice), "{error}");
    guard
        .close()
        .expect("release the file, which this process still holds");
}

#[test]
fn kept_file_is_empty_and_unlocked_after_release() {
    let dir = dir();
    for lock in [true, false] {
        let file = PidFile::new("app").dir(dir.path()).keep(true).lock(lock);
        let path = file.path().expect("resolve the path");
        let guard = file.acquire().expect("acquire the pidfile");
        let inode = fs::metadata(&path).expect("read the metadata").ino();
        guard.close().expect("release the pidfile");
        assert_eq!(fs::metadata(&path).expect("the file still exists").len(), 0);
        assert_eq!(
            fs::metadata(&path).expect("the file still exists").ino(),
            inode
        );
        assert_eq!(file.status().expect("read the status"), Status::Empty);
        file.acquire()
            .expect("acquire the kept file")
            .close()
            .expect("release the pidfile");
        fs::remove_file(&path).expect("remove the kept file");
    }
}

#[test]
fn last_reentrant_handle_releases_in_either_order() {
    let dir = dir();
    for lock in [true, false] {
        let file = PidFile::new("app")
            .dir(dir.path())
            .reentrant(true)
            .lock(lock);
        let path = file.path().expect("resolve the path");
        for first_goes_first in [true, false] {
            let first = file.acquire().expect("acquire the pidfile");
            let second = file.acquire().expect("acquire another handle");
            let (early, late) = if first_goes_first {
                (first, second)
            } else {
                (second, first)
            };
            early.close().expect("close one of two handles");
            late.verify().expect("the pidfile is still held");
            let mut other =
                Program::start(holder(&path).args(if lock { &[][..] } else { &["--no-lock"] }));
            assert!(
                other.line().starts_with("refused: "),
                "another process is refused"
            );
            late.close().expect("close the last handle");
            assert!(!path.exists());
        }
    }
}

#[test]
fn threads_of_one_process_exclude_each_other_unless_reentrant() {
    let dir = dir();
    for lock in [true, false] {
        for reentrant in [true, false] {
            let file = PidFile::new("app")
                .dir(dir.path())
                .lock(lock)
                .reentrant(reentrant);
            let inside = std::sync::atomic::AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            match file.acquire() {
                                Ok(guard) => {
                                    let others =
                                        inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                                    assert!(reentrant || others == 0, "two guards at once");
                                    guard.verify().expect("the pidfile is held");
                                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                                    guard.close().expect("release the pidfile");
                                }
                                Err(error) => {
                                    assert!(error.is_contention() && !reentrant, "{error}");
                                }
                            }
                        }
                    });
                }
            });
            assert!(
                !file.path().expect("resolve the path").exists(),
                "lock {lock}, reentrant {reentrant}"
            );
        }
    }
}

#[test]
fn forked_child_neither_removes_the_file_nor_releases_the_lock() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for flags in [&[][..], &["--no-lock"], &["--keep"]] {
        let mut parent = start(holder(&path).args(flags).args(["--then", "fork"]));
        let mut lines = [parent.line(), parent.line()];
        lines.sort();
        assert_eq!(lines[0], "child done");
        assert!(lines[1].starts_with("forked "), "{lines:?}");
        assert_eq!(text(&path), format!("{}\n", parent.pid()));
        let error = PidFile::at(&path)
            .lock(!flags.contains(&"--no-lock"))
            .acquire()
            .expect_err("the pidfile is held");
        assert_eq!(error.pid(), Some(parent.pid()));
        let (_, said) = parent.finish();
        assert_eq!(said, "closed\n");
        assert_eq!(text(&path), "");
    }
}

#[test]
fn program_started_by_the_holder_does_not_inherit_the_lock() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut parent = start(holder(&path).args(["--keep", "--then", "respawn"]));
    let started = parent.line();
    let pid: i32 = started
        .strip_prefix("started ")
        .and_then(|n| n.parse().ok())
        .expect(&started);
    parent.kill();
    PidFile::at(&path)
        .acquire()
        .expect("only the killed holder had the lock")
        .close()
        .expect("release the pidfile");
    let pid = rustix::process::Pid::from_raw(pid).expect("a valid PID");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .expect("kill the started program");
}

#[test]
fn forked_child_of_a_killed_holder_keeps_the_lock() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut parent = start(holder(&path).args(["--then", "inherit"]));
    assert!(parent.line().starts_with("forked "));
    parent.kill();
    let error = PidFile::at(&path)
        .acquire()
        .expect_err("the child shares the lock");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { pid: None, .. }),
        "{error}"
    );
    // The child exits at the end of its input.
    parent.go_on();
    parent.expect("child done");
    while let Err(error) = PidFile::at(&path).acquire() {
        assert!(error.is_contention(), "{error}");
    }
}

#[test]
fn start_over_an_unwritable_file_names_the_holder_or_replaces_a_stale_file() {
    if is_root() {
        return skip_for_this_user("root can write to any file");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    let first = start(&mut holder(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("make the file read-only");
    let error = PidFile::at(&path)
        .acquire()
        .expect_err("the pidfile is held");
    assert_eq!(error.pid(), Some(first.pid()), "{error}");
    drop(first);
    let stale = fs::File::open(&path).expect("open the stale file");
    let guard = PidFile::at(&path).acquire().expect("acquire the pidfile");
    let (old, new) = (stale.metadata(), fs::metadata(&path));
    assert_ne!(
        old.expect("read the old metadata").ino(),
        new.expect("read the new metadata").ino()
    );
    assert_eq!(text(&path), format!("{}\n", guard.pid()));
    guard.close().expect("release the pidfile");
}
