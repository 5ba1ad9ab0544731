//! Files that a start must not change: those that the directory protects, those that are held, and
//! other links to the pidfile.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::libc;
use pidlock_tests::ptrace::{Stepper, Stop};
use pidlock_tests::{is_root, stale_record};

use super::{
    A, B, Observed, Place, ROOT, User, assert_refused_by, can_switch_user, observe, refusal, start,
};

fn assert_protected(owner: User, user: User, arguments: &[&str]) {
    let place = Place::new(ROOT, 0o1777);
    let path = place.pidfile();
    start(owner, &path, arguments).kill();
    let before = observe(&path);
    let (message, kind) = refusal(user, &path, arguments);
    assert_eq!(kind, "PermissionDenied", "{message}");
    for words in [
        format!("'{}'", path.display()),
        format!("as uid {}", user.uid),
        format!("it belongs to uid {} and no process holds it", owner.uid),
        "remove it, or choose another directory".to_owned(),
        "choose another directory with dir = \"...\"".to_owned(),
    ] {
        assert!(message.contains(&words), "{words}: {message}");
    }
    assert_eq!(observe(&path), before, "the file is unchanged");
    // The owner can still start.
    start(owner, &path, arguments).finish();
}

#[test]
fn error_for_a_stale_file_that_the_directory_protects_names_the_owner_and_the_remedy() {
    if can_switch_user() {
        for [owner, user] in [[ROOT, A], [B, A]] {
            // With mode 666 the other user can write to the file, but a start must not do so.
            for arguments in [&[][..], &["--mode", "666"], &["--keep"]] {
                assert_protected(owner, user, arguments);
            }
        }
    }
}

#[test]
fn start_over_a_held_file_of_another_user_is_refused_and_changes_nothing() {
    if can_switch_user() {
        for directory in [0o777, 0o1777] {
            let place = Place::new(A, directory);
            let path = place.pidfile();
            for [owner, user] in [[ROOT, A], [A, ROOT], [A, B], [B, A]] {
                for mode in ["644", "666"] {
                    let mut holder = start(owner, &path, &["--mode", mode]);
                    for arguments in [&[][..], &["--mode", "600"], &["--keep"]] {
                        assert_refused_by(&holder, user, &path, arguments);
                    }
                    assert_eq!(holder.finish().1, "closed\n");
                }
            }
        }
    }
}

#[test]
fn stale_file_with_another_link_is_replaced_and_the_other_link_is_unchanged() {
    let this = User {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    for arguments in [&[][..], &["--keep"]] {
        for text in [stale_record(), String::new()] {
            let dir = tempfile::tempdir().expect("create a directory");
            let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
            fs::write(&path, &text).expect("write a stale file");
            fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set the mode");
            fs::hard_link(&path, &other).expect("create a link");
            let before = observe(&other);
            let holder = start(this, &path, arguments);
            assert_only_unlinked(&path, &other, before);
            drop(holder);
        }
    }
    // A file of another user.
    if is_root() {
        let place = Place::new(A, 0o755);
        let other = place.path.join("other");
        start(A, &place.pidfile(), &[]).kill();
        fs::hard_link(place.pidfile(), &other).expect("create a link");
        let before = observe(&other);
        let holder = start(ROOT, &place.pidfile(), &[]);
        assert_only_unlinked(&place.pidfile(), &other, before);
        drop(holder);
    }
}

/// Asserts that the pidfile is a new file, and that the old file is unchanged at the other path.
fn assert_only_unlinked(path: &Path, other: &Path, before: Observed) {
    let stat = fs::metadata(path).expect("the file exists");
    assert_eq!(stat.nlink(), 1);
    let (contents, [inode, _, mode], owner, time) = before;
    assert_ne!(stat.ino(), inode, "the pidfile is a new file");
    assert_eq!(observe(other), (contents, [inode, 1, mode], owner, time));
}

/// A strict umask keeps other users from reading a new file until its mode is set. The test sets
/// the mode after a start of another user has tried to open the file.
#[test]
fn start_during_which_the_file_becomes_readable_is_refused_with_the_pid() {
    if !can_switch_user() {
        return;
    }
    let place = Place::new(ROOT, 0o777);
    let path = place.pidfile();
    let holder = start(ROOT, &path, &[]);
    let set_mode =
        |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set the mode");
    set_mode(0o600);
    let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
    command.arg("close").arg(&path).uid(A.uid).gid(A.gid);
    let mut program = Stepper::start(&mut command);
    let (mut marks, mut opened) = (0, 0);
    loop {
        match program.step() {
            Stop::Before(call) if call.is_mark() => marks += 1,
            Stop::After(call) if marks == 1 && call.is(libc::SYS_openat) => {
                opened += 1;
                // The start has tried to open the file for writing, then for reading.
                if opened == 2 {
                    set_mode(0o644);
                }
            }
            Stop::Ended(_) => break,
            _ => {}
        }
    }
    let message = format!("already locked by PID {}\n", holder.pid());
    let said = program.wait_for_all();
    assert!(said.contains(&message), "{said}");
}
