//! `Reservation::wait_committed`: the parent of a daemon learns that the daemon's PID is in the
//! file, or that no child will commit. The program is `reserver`.

use std::process::Command;

use pidlock_core::{PidFile, Status};
use pidlock_tests::{Program, text};

use super::Place;

fn reserver(child: &str, place: &Place, timeout: Option<&str>) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reserver"));
    Program::start(command.arg(child).arg(&place.path).args(timeout))
}

fn check_not_committed(child: &str, place: &Place, timeout: Option<&str>, reason: &str) {
    let mut program = reserver(child, place, timeout);
    let path = place.path.display();
    let message = format!("pidfile '{path}' was not committed by a child: {reason}");
    assert_eq!(program.line(), message, "{child}");
    assert!(program.finish().0.success(), "{child}");
}

#[test]
fn parent_waits_until_the_pid_of_the_child_is_in_the_file() {
    for how in ["commits", "forks"] {
        let place = Place::new();
        let mut program = reserver(how, &place, None);
        let child = program.line();
        assert_eq!(text(&place.path), "");
        assert_eq!(
            PidFile::at(&place.path).status().expect("inspect"),
            Status::Locked { pid: None }
        );
        program.tell("");
        assert_eq!(program.line(), format!("committed by {child}"), "{how}");
        assert!(program.wait().success());
        assert_eq!(text(&place.path), format!("{child}\n"), "{how}");
        let refusal = PidFile::at(&place.path).acquire().expect_err("it is held");
        assert_eq!(refusal.pid(), child.parse().ok(), "{refusal}");
        program.finish();
        place.check_next_start(how);
    }
}

#[test]
fn child_that_commits_and_exits_at_once_is_reported_as_committed() {
    for _ in 0..50 {
        let place = Place::new();
        let mut program = reserver("ends", &place, None);
        let child = program.line();
        assert_eq!(program.line(), format!("committed by {child}"));
        assert!(program.finish().0.success());
        place.check_gone("ends");
    }
}

#[test]
fn parent_whose_children_are_gone_learns_that_none_committed() {
    for what in ["exits", "drops", "none"] {
        let place = Place::new();
        let reason = "no process shares the reservation any more";
        check_not_committed(what, &place, None, reason);
        place.check_gone(what);
    }
}

#[test]
fn parent_whose_file_was_removed_learns_that_no_child_can_commit() {
    let place = Place::new();
    check_not_committed("fails", &place, None, "the file was removed or replaced");
    place.check_next_start("fails");
}

#[test]
fn parent_whose_child_does_not_commit_in_time_stops_waiting() {
    let place = Place::new();
    check_not_committed("waits", &place, Some("50"), "50ms have passed");
    place.check_next_start("waits");
}

/// A start can acquire the file after the last child has exited and before the parent checks the
/// file again.
#[test]
fn parent_whose_file_names_another_holder_stops_waiting() {
    let place = Place::new();
    check_not_committed("writes", &place, None, "PID 1 has acquired it");
}
