//! Holders that this process cannot see, or may not signal.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::rerun_in_namespace::{self, can_unshare};
use pidlock_tests::{ORDINARY_UID, is_root, run, said, skip_for_this_user};

use super::{Place, check_unconfirmed, hold};

/// Flags for `unshare`. An ordinary user first has to become root of a user namespace.
fn flags<'a>(own: &[&'a str]) -> Vec<&'a str> {
    let user: &[&str] = match is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    [user, own].concat()
}

fn check_hidden(place: &Path) {
    let path = place.join("app.pid");
    for arguments in [&[][..], &["--no-lock"]] {
        let mut holder = hold(&path, arguments);
        let file = PidFile::at(&path).lock(arguments.is_empty());
        check_unconfirmed(&file, Some(holder.pid()));
        let (status, rest) = holder.finish();
        assert!(status.success() && rest == "closed\n", "{rest:?}");
    }
    // A process needs no `/proc` to recognise itself.
    let guard = PidFile::at(&path).acquire().expect("acquire");
    let found = PidFile::at(&path).holder().expect("look");
    assert_eq!(found.map(|holder| holder.pid()), Some(guard.pid()));
}

#[test]
fn holder_is_not_confirmed_without_proc() {
    if let Some(place) = rerun_in_namespace::inside() {
        return check_hidden(&place);
    }
    let flags = flags(&["--mount"]);
    if can_unshare(&flags) {
        let test = "hidden::holder_is_not_confirmed_without_proc";
        rerun_in_namespace::within(test, &flags, "mount -t tmpfs none /proc");
    }
}

/// `/proc` is that of the outer PID namespace, where the same PID is another process.
#[test]
fn holder_is_not_confirmed_by_the_proc_of_another_namespace() {
    if let Some(place) = rerun_in_namespace::inside() {
        return check_hidden(&place);
    }
    let flags = flags(&["--pid", "--fork"]);
    if can_unshare(&flags) {
        let test = "hidden::holder_is_not_confirmed_by_the_proc_of_another_namespace";
        rerun_in_namespace::within(test, &flags, ":");
    }
}

#[test]
fn holder_in_another_pid_namespace_is_not_confirmed() {
    let flags = flags(&["--pid", "--mount-proc"]);
    if !can_unshare(&[&flags[..], &["--fork"]].concat()) {
        return;
    }
    let place = Place::new();
    let mut unshare = Command::new("unshare");
    unshare.args(&flags).args(["--fork", "--kill-child"]);
    unshare.arg(env!("CARGO_BIN_EXE_holder"));
    let mut inside = pidlock_tests::Program::start(unshare.arg("--at").arg(&place.path));
    inside.expect(&format!("held {}", place.path.display()));
    // PID 1 of this namespace does not have the lock. An ordinary user, from whom the descriptors of
    // PID 1 are hidden, learns that from /proc/locks.
    place.check_unconfirmed(Some(1));
    let (status, rest) = inside.finish();
    assert!(status.success() && rest == "closed\n", "{rest:?}");
}

#[test]
fn holder_of_another_user_is_named_and_not_signalled() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as another user");
    }
    check_other_user();
}

/// `/proc` does not show other users' processes at all.
#[test]
fn holder_of_another_user_that_proc_hides_is_named_and_not_signalled() {
    if rerun_in_namespace::inside().is_some() {
        return check_other_user();
    }
    if !is_root() {
        return skip_for_this_user("only root can start programs as another user");
    }
    let flags = ["--pid", "--fork", "--mount-proc"];
    if can_unshare(&flags) {
        let test = "hidden::holder_of_another_user_that_proc_hides_is_named_and_not_signalled";
        rerun_in_namespace::within(test, &flags, "mount -o remount,hidepid=2 /proc");
    }
}

fn check_other_user() {
    let place = Place::new();
    let dir = place.path.parent().expect("a directory");
    fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("set the mode");
    for arguments in [&[][..], &["--keep"]] {
        let mut holder = place.hold(arguments);
        let mut stopper = Command::new(env!("CARGO_BIN_EXE_stopper"));
        stopper.arg(&place.path).arg("1000");
        let output = run(stopper.uid(ORDINARY_UID).gid(ORDINARY_UID));
        let message = format!(
            "failed: PermissionDenied: cannot signal process {}, which pidfile '{}' names, as uid \
             {ORDINARY_UID}; run this as the user of that process, or as root: Operation not \
             permitted (os error 1)\n",
            holder.pid(),
            place.path.display()
        );
        assert_eq!(said(&output), message);
        let (status, rest) = holder.finish();
        assert!(status.success() && rest == "closed\n", "{rest:?}");
    }
}
