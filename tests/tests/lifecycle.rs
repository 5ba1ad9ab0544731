//! The life of a pidfile: held, refused, taken over, given back, by real processes.

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

/// A holder that is in.
fn start(command: &mut Command) -> Program {
    let mut program = Program::start(command);
    let line = program.line();
    assert!(line.starts_with("held "), "{line}");
    program
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// All that a refused start must not change.
fn snapshot(path: &Path) -> (Vec<u8>, u32, u32, u32, SystemTime, u64) {
    let metadata = fs::symlink_metadata(path).expect("the file is there");
    (
        fs::read(path).expect("the file can be read"),
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.modified().expect("a time"),
        metadata.ino(),
    )
}

#[test]
fn a_second_process_is_refused_with_the_first_ones_pid_and_changes_nothing() {
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
    let status = PidFile::at(&path).status().expect("a look");
    assert!(
        matches!(status, Status::Locked { pid: Some(pid) } if pid == first.pid()),
        "{status:?}"
    );
    assert_eq!(snapshot(&path), before);
}

#[test]
fn a_clean_end_removes_the_file() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut first = start(&mut holder(&path));
    let (status, said) = first.finish();
    assert_eq!((status.code(), said.as_str()), (Some(0), "closed\n"));
    assert!(!path.exists());
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

#[test]
fn after_kill_9_the_next_start_takes_over() {
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

/// A process that is killed gives its lock back some milliseconds before it is gone.
#[test]
fn right_after_kill_9_the_killed_process_is_no_longer_running() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for _ in 0..100 {
        let first = start(&mut holder(&path));
        let looker = fs::File::open(&path).expect("the pidfile");
        let pid = i32::try_from(first.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a number");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        // Waits for the lock, not for the process.
        rustix::fs::flock(&looker, rustix::fs::FlockOperation::LockShared).expect("it is free");
        drop(looker);
        let second = PidFile::at(&path).acquire().expect("the next start");
        second.close().expect("an end");
    }
}

#[test]
fn stale_records_are_taken_over() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let records = [
        stale_record(),
        dead_pid().to_string(),
        // Ours left over, as PID 1 finds it in a restarted container.
        format!("{}\n", std::process::id()),
        String::new(),
        "\n".into(),
        " \t\r\n".into(),
        "\0".repeat(6),
        "\0".repeat(4096),
        // Padded by a writer that died before it could shorten the file.
        format!("{NONEXISTENT_PID}{}", "\n".repeat(500)),
    ];
    for lock in [true, false] {
        for record in &records {
            fs::write(&path, record).expect("a record");
            let guard = PidFile::at(&path).lock(lock).acquire();
            let guard = guard.unwrap_or_else(|error| panic!("{record:?}: {error}"));
            assert_eq!(
                text(&path),
                format!("{}\n", std::process::id()),
                "{record:?}"
            );
            guard.close().expect("an end");
            assert!(!path.exists());
        }
    }
}

#[test]
fn a_reused_pid_is_stale_and_a_possible_writer_is_not() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let mut stranger = Program::start(&mut Command::new("cat"));
    fs::write(&path, format!("{}\n", stranger.pid())).expect("a record");

    // It started before the file was written: it may be the writer, though it does not lock.
    let file = PidFile::at(&path);
    match file.acquire() {
        Err(PidFileError::AlreadyRunning { pid, .. }) => assert_eq!(pid, stranger.pid()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(file.status(), Ok(Status::RunningUnlocked { pid }) if pid == stranger.pid()));

    // It started an hour after: its number belonged to another.
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let open = fs::File::options()
        .write(true)
        .open(&path)
        .expect("the file");
    open.set_modified(an_hour_ago).expect("a time");
    drop(open);
    assert!(matches!(file.status(), Ok(Status::Stale { .. })));
    file.acquire()
        .expect("a reused number")
        .close()
        .expect("an end");

    // Without a lock the number is all there is: never taken for a reused one.
    fs::write(&path, format!("{}\n", stranger.pid())).expect("a record");
    let open = fs::File::options()
        .write(true)
        .open(&path)
        .expect("the file");
    open.set_modified(an_hour_ago).expect("a time");
    let error = PidFile::at(&path)
        .lock(false)
        .acquire()
        .expect_err("a live process");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { .. }),
        "{error}"
    );
    stranger.finish();
}

#[test]
fn a_zombie_holds_nothing() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let mut zombie = Program::start(&mut Command::new("cat"));
        zombie.go_on();
        assert_eq!(zombie.line(), "", "it has closed its output");
        fs::write(&path, format!("{}\n", zombie.pid())).expect("a record");
        let file = PidFile::at(&path).lock(lock);
        // It may still be on its way from closing its output to being a zombie.
        while matches!(file.status(), Ok(Status::RunningUnlocked { .. })) {
            std::thread::yield_now();
        }
        file.acquire()
            .expect("a zombie's file")
            .close()
            .expect("an end");
        zombie.wait();
    }
}

#[test]
fn a_threads_number_is_no_process() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let (tell, told) = std::sync::mpsc::channel();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get())
            .expect("somebody asked");
        let _ = wait.recv();
    });
    fs::write(&path, format!("{}\n", told.recv().expect("a number"))).expect("a record");
    PidFile::at(&path)
        .acquire()
        .expect("a thread's number")
        .close()
        .expect("an end");
    drop(end);
    thread.join().expect("the thread ends");
}

#[test]
fn mode_is_exact_whatever_the_umask() {
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
                fs::write(&path, stale_record()).expect("a stale file");
            }
            let mut shell = Command::new("sh");
            shell.args(["-c", "umask $1; exec $2 --at $3 --mode $4", "-", umask]);
            shell.args([env!("CARGO_BIN_EXE_holder"), path.to_str().expect("a path")]);
            let holder = start(shell.arg(format!("{mode:o}")));
            let found = fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
            assert_eq!(found, mode, "umask {umask}, there before: {there_before}");
            drop(holder);
        }
    }
}

#[test]
fn owner_and_group_are_as_asked() {
    if !is_root() {
        return skip_for_this_user("only root can give a file away");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let guard = PidFile::at(&path)
            .uid(12)
            .gid(34)
            .lock(lock)
            .acquire()
            .expect("a start");
        let metadata = fs::metadata(&path).expect("the file");
        assert_eq!((metadata.uid(), metadata.gid()), (12, 34));
        guard.close().expect("an end");
        assert!(!path.exists());
    }
}

#[test]
fn a_file_that_cannot_be_made_as_asked_is_not_left_behind() {
    if is_root() {
        return skip_for_this_user("only an ordinary user is refused to give a file away");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let error = PidFile::at(&path)
            .uid(0)
            .lock(lock)
            .acquire()
            .expect_err("not permitted");
        assert!(
            error
                .to_string()
                .contains("cannot change the owner or mode of pidfile"),
            "{error}"
        );
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
    }
}

#[test]
fn a_missing_directory_is_made() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path().join("a/b"))
        .acquire()
        .expect("a start");
    assert_eq!(guard.path(), dir.path().join("a/b/app.pid"));
    guard.close().expect("an end");
    assert!(
        dir.path().join("a/b").is_dir(),
        "a directory may have others' files by now: it stays"
    );
    let guard = PidFile::at(dir.path().join("c/d/lock"))
        .lock(false)
        .acquire()
        .expect("a start");
    guard.close().expect("an end");
}

#[test]
fn a_change_of_the_working_directory_does_not_move_the_file() {
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
        .expect("a path")
        .join("sub/app.pid");
    holder.expect(&format!("held {}", path.display()));
    holder.finish();
    assert!(!path.exists());
}

#[test]
fn a_file_that_was_removed_or_replaced_is_reported_and_left_alone() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    for lock in [true, false] {
        let guard = PidFile::at(&path).lock(lock).acquire().expect("a start");
        fs::remove_file(&path).expect("somebody removes it");
        assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
        assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
        assert!(!path.exists());

        let guard = PidFile::at(&path).lock(lock).acquire().expect("a start");
        fs::remove_file(&path).expect("somebody removes it");
        fs::write(&path, "theirs").expect("somebody writes another");
        assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
        drop(guard);
        assert_eq!(text(&path), "theirs");
        fs::remove_file(&path).expect("the end");
    }
}

#[test]
fn after_a_replacement_exclusion_is_whole_from_the_next_hand_over_on() {
    let dir = dir();
    let path = dir.path().join("app.pid");
    let first = PidFile::at(&path).acquire().expect("a start");
    fs::remove_file(&path).expect("somebody removes it");
    let second = start(&mut holder(&path));
    drop(first);
    assert_eq!(
        text(&path),
        format!("{}\n", second.pid()),
        "the first leaves the second's alone"
    );
    assert_eq!(
        PidFile::at(&path).acquire().expect_err("held").pid(),
        Some(second.pid())
    );
}

#[test]
fn a_moved_directory_leaves_an_empty_file_for_the_next() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path().join("old"))
        .acquire()
        .expect("a start");
    fs::rename(dir.path().join("old"), dir.path().join("new")).expect("a move");
    assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
    let moved = PidFile::new("app").dir(dir.path().join("new"));
    assert_eq!(moved.status().expect("a look"), Status::Empty);
    moved.acquire().expect("a start").close().expect("an end");
}

#[test]
fn an_overwritten_record_is_noticed() {
    let dir = dir();
    let guard = PidFile::new("app")
        .dir(dir.path())
        .acquire()
        .expect("a start");
    guard.verify().expect("nothing happened yet");
    fs::write(guard.path(), stale_record()).expect("somebody writes");
    let error = guard.verify().expect_err("not our PID");
    assert!(matches!(error, PidFileError::Unreadable { .. }), "{error}");
    guard.close().expect("the file itself is ours still");
}

#[test]
fn keep_leaves_an_empty_unlocked_file() {
    let dir = dir();
    for lock in [true, false] {
        let file = PidFile::new("app").dir(dir.path()).keep(true).lock(lock);
        let path = file.path().expect("a path");
        let guard = file.acquire().expect("a start");
        let inode = fs::metadata(&path).expect("the file").ino();
        guard.close().expect("an end");
        assert_eq!(fs::metadata(&path).expect("the file stays").len(), 0);
        assert_eq!(fs::metadata(&path).expect("the file stays").ino(), inode);
        assert_eq!(file.status().expect("a look"), Status::Empty);
        file.acquire()
            .expect("the next start")
            .close()
            .expect("an end");
        fs::remove_file(&path).expect("the end");
    }
}

#[test]
fn reentrant_handles_release_once_at_the_last_in_either_order() {
    let dir = dir();
    for lock in [true, false] {
        let file = PidFile::new("app")
            .dir(dir.path())
            .reentrant(true)
            .lock(lock);
        let path = file.path().expect("a path");
        for first_goes_first in [true, false] {
            let first = file.acquire().expect("a start");
            let second = file.acquire().expect("another handle");
            let (early, late) = if first_goes_first {
                (first, second)
            } else {
                (second, first)
            };
            early.close().expect("one of two");
            late.verify().expect("still held");
            let mut other =
                Program::start(holder(&path).args(if lock { &[][..] } else { &["--no-lock"] }));
            assert!(
                other.line().starts_with("refused: "),
                "another process is kept out"
            );
            late.close().expect("the last");
            assert!(!path.exists());
        }
    }
}

#[test]
fn threads_of_one_process_exclude_each_other_or_share() {
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
                                    guard.verify().expect("held");
                                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                                    guard.close().expect("an end");
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
                !file.path().expect("a path").exists(),
                "lock {lock}, reentrant {reentrant}"
            );
        }
    }
}

#[test]
fn a_forked_child_neither_removes_the_file_nor_frees_the_lock() {
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
            .expect_err("held");
        assert_eq!(error.pid(), Some(parent.pid()));
        let (_, said) = parent.finish();
        assert_eq!(said, "closed\n");
        assert_eq!(text(&path), "");
    }
}

#[test]
fn a_program_started_by_the_holder_does_not_inherit_the_lock() {
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
        .expect("only the dead one had it")
        .close()
        .expect("an end");
    let pid = rustix::process::Pid::from_raw(pid).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it still runs");
}

#[test]
fn a_forked_child_that_lives_on_keeps_the_lock_of_its_killed_parent() {
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
    // The end of its input is what the child waits for.
    parent.go_on();
    parent.expect("child done");
    while let Err(error) = PidFile::at(&path).acquire() {
        assert!(error.is_contention(), "{error}");
    }
}

#[test]
fn a_looking_user_without_write_access_is_told_who_holds_it() {
    if is_root() {
        return skip_for_this_user("nothing is closed to root");
    }
    let dir = dir();
    let path = dir.path().join("app.pid");
    let first = start(&mut holder(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("a mode");
    let error = PidFile::at(&path).acquire().expect_err("held");
    assert_eq!(error.pid(), Some(first.pid()), "{error}");
    drop(first);
    let error = PidFile::at(&path).acquire().expect_err("not ours to write");
    assert!(matches!(error, PidFileError::Io { .. }), "{error}");
    assert_eq!(
        std::io::Error::from(error).kind(),
        std::io::ErrorKind::PermissionDenied
    );
}
