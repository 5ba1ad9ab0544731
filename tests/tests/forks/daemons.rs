//! Programs that become daemons after they have acquired the pidfile. The child keeps the file and
//! the lock.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use pidlock_tests::{ORDINARY_UID, Program, is_root, run, said, skip_for_this_user};
use rustix::process::Signal;

use super::{Place, forker, send};

/// How the daemon ends.
#[derive(Debug, Clone, Copy)]
enum ChildEnd {
    Return,
    By(Signal),
}

const CHILD_ENDS: [ChildEnd; 3] = [
    ChildEnd::Return,
    ChildEnd::By(Signal::TERM),
    ChildEnd::By(Signal::KILL),
];

/// Starts a daemon and waits until its parent has exited. Returns the parent and the daemon's PID.
fn daemonize(how: &str, place: &Place) -> (Program, u32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemon"));
    let mut parent = Program::start(command.arg(how).arg(&place.path));
    let line = parent.line();
    let child = line.strip_prefix("serving ").expect("the child is serving");
    let child = child.parse().expect("a PID");
    assert_ne!(child, parent.pid());
    if how == "wait" {
        send(Signal::TERM, parent.pid());
    }
    let status = parent.wait();
    match how {
        "wait" => assert_eq!(status.signal(), Some(Signal::TERM.as_raw())),
        _ => assert!(status.success(), "{how}: {status}"),
    }
    (parent, child)
}

fn check_daemon(how: &str) {
    for child_end in CHILD_ENDS {
        let what = format!("{how}, {child_end:?}");
        let place = Place::new();
        let (mut parent, child) = daemonize(how, &place);
        place.check_left_to_child(&what);
        match child_end {
            ChildEnd::Return => parent.go_on(),
            ChildEnd::By(signal) => send(signal, child),
        }
        place.wait_until_free();
        place.check_next_start(&what);
    }
}

#[test]
fn parent_that_exits_leaves_file_and_lock_to_its_child() {
    check_daemon("exit");
}

#[test]
fn parent_that_returns_from_main_leaves_file_and_lock_to_its_child() {
    check_daemon("return");
}

#[test]
fn parent_killed_by_sigterm_leaves_file_and_lock_to_its_child() {
    check_daemon("wait");
}

/// With `keep(true)`, the file stays in any case, but the child must keep the lock.
#[test]
fn parent_that_drops_its_guard_and_lives_on_leaves_file_and_lock_to_its_child() {
    for what in ["leave", "leave-kept"] {
        for signal in [Signal::TERM, Signal::KILL] {
            let place = Place::new();
            let mut parent = forker(what, &place.path);
            let line = parent.line();
            let child = line
                .strip_prefix("released ")
                .expect("the parent has released");
            place.check_left_to_child(what);
            send(signal, child.parse().expect("a PID"));
            place.wait_until_free();
            // The parent no longer shares the lock, but is still running.
            place.check_next_start(what);
            assert!(parent.finish().0.success(), "{what}");
            place.check_gone(what);
        }
    }
}

/// The kernel lists the lock under the PID of the parent, which locked the file. Another user
/// cannot inspect the file descriptors of the parent or the child, so only the record shows that
/// user that the child is the holder.
#[test]
fn start_of_another_user_names_the_child_that_committed_beside_its_parent() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as another user");
    }
    let place = Place::new();
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o755)).expect("set the mode");
    let mut parent = forker("commit-late", &place.path);
    let line = parent.line();
    let child = line.strip_prefix("held ").expect("the child has committed");
    let mut start = Command::new(env!("CARGO_BIN_EXE_holder"));
    start.arg("--at").arg(&place.path);
    let refusal = said(&run(start.uid(ORDINARY_UID).gid(ORDINARY_UID)));
    let message = format!("already locked by PID {child}\n");
    assert!(refusal.ends_with(&message), "{refusal}");
    assert!(parent.finish().0.success());
}
