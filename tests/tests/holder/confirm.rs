//! Which process is confirmed as the holder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{ORDINARY_UID, Program, has_tool, is_root, skip, stale_record, text};

use super::{LONG, Place, assert_terminated, check_unconfirmed, check_untouched, stranger};

#[test]
fn process_that_took_the_lock_is_confirmed_and_terminated() {
    for arguments in [&[][..], &["--keep"], &["--no-lock"]] {
        let place = Place::new();
        let mut holder = place.hold(arguments);
        let file = place.file().lock(!arguments.contains(&"--no-lock"));
        let found = file.holder().expect("confirm").expect("a holder");
        assert_eq!(found.pid(), holder.pid());
        assert!(!found.wait_gone(Duration::ZERO).expect("poll"));
        found.terminate().expect("terminate the holder");
        assert!(found.wait_gone(LONG).expect("wait"), "{arguments:?}");
        assert_terminated(&mut holder);
        // A handle to a process that is gone reaches no process.
        found.kill().expect("kill no process");
        assert!(file.holder().expect("look").is_none(), "{arguments:?}");
    }
}

#[test]
fn killed_holder_leaves_a_file_without_holder() {
    let place = Place::new();
    let mut holder = place.hold(&[]);
    let found = place.file().holder().expect("confirm").expect("a holder");
    found.kill().expect("kill the holder");
    assert!(found.wait_gone(LONG).expect("wait"));
    assert!(place.path.exists());
    // Its parent has not waited for it, so it still has its PID.
    assert!(place.file().holder().expect("look").is_none());
    holder.wait();
    assert!(!place.file().stop(LONG).expect("look"));
}

#[test]
fn child_that_committed_is_confirmed_while_its_parent_lives_and_after() {
    for parent_dies in [false, true] {
        let place = Place::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_forker"));
        // The parent complains when its child is terminated.
        let command = command.arg("commit-late").stderr(Stdio::null());
        let mut parent = Program::start(command.arg(&place.path));
        let line = parent.line();
        let child: u32 = line
            .strip_prefix("held ")
            .expect(&line)
            .parse()
            .expect("a PID");
        if parent_dies {
            parent.kill();
        }
        let found = place.file().holder().expect("confirm").expect("a holder");
        assert_eq!(found.pid(), child);
        assert!(place.file().stop(LONG).expect("stop the child"));
        assert!(found.wait_gone(LONG).expect("wait"));
        // A parent that lives shares the lock, so the child has emptied the file and not removed it.
        assert_eq!(text(&place.path), "");
    }
}

#[test]
fn process_that_inherited_the_lock_by_exec_is_confirmed() {
    if !has_tool("flock") {
        return skip("flock is not installed");
    }
    let place = Place::new();
    let script = "echo $$ >\"$1\"; echo held; exec sleep 1000";
    let mut command = Command::new("flock");
    let command = command.arg(&place.path).args(["sh", "-c", script, "-"]);
    let mut wrapper = Program::start(command.arg(&place.path));
    wrapper.expect("held");
    let found = place.file().holder().expect("confirm").expect("a holder");
    assert_eq!(text(&place.path), format!("{}\n", found.pid()));
    assert!(place.file().stop(LONG).expect("stop `sleep` and `flock`"));
    wrapper.wait();
}

#[test]
fn process_that_lost_the_lock_by_exec_is_not_confirmed() {
    let place = Place::new();
    let sleep = place.hold(&["--then", "exec"]);
    let exe = format!("/proc/{}/exe", sleep.pid());
    while fs::read_link(&exe).is_ok_and(|program| !program.ends_with("sleep")) {
        std::thread::yield_now();
    }
    let message = place.check_unconfirmed(Some(sleep.pid()));
    assert!(message.ends_with("if it is a different program, remove the file"));
}

#[test]
fn dead_parent_of_a_child_that_shares_the_lock_is_not_confirmed() {
    let place = Place::new();
    let mut parent = place.hold(&["--then", "inherit"]);
    let line = parent.line();
    assert!(line.starts_with("forked "), "{line}");
    parent.kill();
    let message = place.check_unconfirmed(Some(parent.pid()));
    assert!(message.contains("fuser(1)"), "{message}");
    // The lock is taken, but no live process is named: the message says which PID took it.
    let error = place.file().acquire().expect_err("the child has the lock");
    assert_eq!(error.pid(), None);
    let taken_by = format!(
        "according to /proc/locks, PID {} took the lock",
        parent.pid()
    );
    assert!(error.to_string().ends_with(&taken_by), "{error}");
}

#[test]
fn blank_file_that_a_child_keeps_locked_has_no_known_holder() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forker"));
    let mut parent = Program::start(command.arg("leave").arg(&place.path));
    let line = parent.line();
    let child: i32 = line
        .strip_prefix("released ")
        .expect(&line)
        .parse()
        .expect("a PID");
    let message = place.check_unconfirmed(None);
    assert!(message.contains("it contains no PID"), "{message}");
    let child = rustix::process::Pid::from_raw(child).expect("a PID");
    rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("kill the child");
}

#[test]
fn stranger_named_in_a_locked_file_is_not_confirmed() {
    let place = Place::new();
    let mut holder = place.hold(&[]);
    let stranger = stranger();
    fs::write(&place.path, format!("{}\n", stranger.pid())).expect("overwrite the record");
    let message = place.check_unconfirmed(Some(stranger.pid()));
    assert!(message.contains("it does not have the lock"), "{message}");
    check_untouched(stranger);
    holder.kill();
}

/// The stranger is a holder, too, but of another file.
#[test]
fn holder_of_another_file_is_not_confirmed() {
    let (place, other) = (Place::new(), Place::new());
    let _holder = place.hold(&[]);
    let mut stranger = other.hold(&[]);
    fs::write(&place.path, format!("{}\n", stranger.pid())).expect("overwrite the record");
    place.check_unconfirmed(Some(stranger.pid()));
    let (status, _) = stranger.finish();
    assert!(status.success(), "{status}");
}

/// A record with the lock mark was written by a process that locked the file. So a process that does
/// not lock it is another one, or has lost the lock.
#[test]
fn stranger_named_in_a_stale_file_is_not_confirmed() {
    let place = Place::new();
    let stranger = stranger();
    fs::write(&place.path, format!("{}\n", stranger.pid())).expect("write a record");
    fs::set_permissions(&place.path, Permissions::from_mode(0o1644)).expect("set the mode");
    place.check_unconfirmed(Some(stranger.pid()));
    check_untouched(stranger);
}

#[test]
fn program_that_does_not_lock_is_confirmed_by_its_start_time() {
    let place = Place::new();
    let mut program = program_without_lock(&place, None);
    let written = fs::metadata(&place.path).and_then(|metadata| metadata.modified());
    let set_written = |time| {
        let file = File::options().write(true).open(&place.path);
        file.expect("open the file")
            .set_modified(time)
            .expect("set the time");
    };

    // It is younger than the file.
    let hour = Duration::from_secs(3600);
    set_written(SystemTime::now() - hour);
    assert!(place.file().holder().expect("look").is_none());
    let lockless = place.file().lock(false);
    check_unconfirmed(&lockless, Some(program.pid()));
    // The file is from the future, so its time means nothing.
    set_written(SystemTime::now() + hour);
    check_unconfirmed(&lockless, Some(program.pid()));

    set_written(written.expect("read the time"));
    // A program that locks did not write this file.
    place.check_unconfirmed(Some(program.pid()));
    let found = lockless.holder().expect("confirm").expect("a holder");
    assert_eq!(found.pid(), program.pid());
    assert!(lockless.stop(LONG).expect("stop the program"));
    assert_terminated(&mut program);
    assert!(place.path.exists(), "stopping changes nothing");
}

/// Starts a program that records its PID and does not lock the file.
fn program_without_lock(place: &Place, user: Option<u32>) -> Program {
    let script = "umask 022; echo $$ >\"$1\"; echo running; exec cat";
    let mut command = Command::new("sh");
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut program = Program::start(command.args(["-c", script, "-"]).arg(&place.path));
    program.expect("running");
    program
}

/// Otherwise another user could have any process signalled, by writing its PID into a file.
#[test]
fn process_named_by_another_user_without_lock_is_not_confirmed() {
    let place = Place::new();
    let program = program_without_lock(&place, None);
    let lockless = |place: &Place| place.file().lock(false);
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("set the mode");
    };
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&place.path, mode);
        check_unconfirmed(&lockless(&place), Some(program.pid()));
    }
    set_mode(&place.path, 0o644);
    if is_root() {
        chown(&place.path, Some(ORDINARY_UID), None).expect("set the owner");
        check_unconfirmed(&lockless(&place), Some(program.pid()));
        // That user's own process is theirs to name.
        let theirs = Place::new();
        set_mode(theirs.path.parent().expect("a directory"), 0o777);
        let mut program = program_without_lock(&theirs, Some(ORDINARY_UID));
        let stopped = lockless(&theirs).stop(LONG);
        assert!(stopped.expect("stop the program"));
        assert_terminated(&mut program);
        chown(&place.path, Some(0), None).expect("set the owner");
    }
    let found = lockless(&place).holder().expect("confirm");
    assert_eq!(found.expect("a holder").pid(), program.pid());
    check_untouched(program);
}

#[test]
fn process_whose_main_thread_has_exited_is_not_confirmed() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_main_thread_exits"));
    let mut program = Program::start(command.arg(&place.path));
    program.expect("held");
    let stat = format!("/proc/{}/stat", program.pid());
    while !text(stat.as_ref()).contains(") Z ") {
        std::thread::yield_now();
    }
    let message = place.check_unconfirmed(Some(program.pid()));
    assert!(message.contains("the system does not show"), "{message}");
    program.finish();
}

#[test]
fn this_process_is_its_own_holder_and_does_not_stop_itself() {
    for lock in [true, false] {
        let place = Place::new();
        let file = place.file().lock(lock);
        let guard = file.acquire().expect("acquire");
        let found = file.holder().expect("look").expect("this process");
        assert_eq!(found.pid(), std::process::id());
        for refused in [file.stop(LONG).map(drop), file.replace(LONG).map(drop)] {
            let error = refused.expect_err("a process does not stop itself");
            let message = format!(
                "cannot stop the holder of pidfile '{}': it is this process",
                place.path.display()
            );
            assert_eq!(error.to_string(), message);
        }
        guard.verify().expect("the file is still held");
        guard.close().expect("release");
        assert!(file.holder().expect("look").is_none());
    }
}

#[test]
fn free_file_has_no_holder() {
    let place = Place::new();
    let check = |what: &str| {
        for lock in [true, false] {
            let file = place.file().lock(lock);
            assert!(file.holder().expect(what).is_none(), "{what}");
            assert!(!file.stop(LONG).expect(what), "{what}");
        }
    };
    check("no file");
    let own = format!("{}\n", std::process::id());
    for text in ["", "\n", "notes", &stale_record(), &own] {
        fs::write(&place.path, text).expect("write the file");
        check(text);
        assert_eq!(
            fs::read_to_string(&place.path).expect("read the file"),
            text
        );
    }
    fs::remove_file(&place.path).expect("remove the file");
    fs::create_dir(&place.path).expect("create a directory");
    let error = PidFile::at(&place.path).holder().expect_err("a directory");
    assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
}
