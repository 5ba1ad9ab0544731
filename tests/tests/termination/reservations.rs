//! Reservations: one process reserves the file and another commits it. The tests cover every way
//! for the parent to end in between.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_tests::{Program, stale_record, text};
use rustix::process::Signal;

use super::{After, Ends, Place, check_refused, terminate};

/// A program that continues after each line that it reads.
struct Talk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn start(arguments: &str, place: &Place) -> Self {
        let mut child = terminate(arguments, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start `terminate`");
        Self {
            input: child.stdin.take().expect("the input is piped"),
            output: BufReader::new(child.stdout.take().expect("the output is piped")),
            child,
        }
    }

    /// The next line of the program or its children; empty after all of them have exited.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("read a line");
        line.trim_end().to_owned()
    }

    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").expect("write a line");
    }

    fn ends(&mut self) -> Option<Ends> {
        Ends::of(self.child.wait().expect("wait for the program"))
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check_reserved(place: &Place, what: &str) {
    place.check(After::Empty, 0, what);
    check_refused(place.path(), true, None, what);
    let status = PidFile::at(place.path()).status().expect("read the status");
    assert!(
        matches!(status, Status::Locked { pid: None }),
        "{what}: {status:?}"
    );
}

#[test]
fn child_commits_and_the_lock_is_never_free_however_the_parent_ends() {
    for stale in [false, true] {
        for (parent, ends) in [
            ("return", 0),
            ("exit", 7),
            ("_exit", 7),
            ("drop", 0),
            ("twice", 0),
        ] {
            for child in ["return", "exit", "term", "reset"] {
                let place = Place::new(1);
                if stale {
                    std::fs::write(place.path(), stale_record()).expect("write a record");
                }
                let arguments = format!("reserve {parent} {child}");
                let mut daemon = Talk::start(&arguments, &place);
                daemon.expect("reserved");
                check_reserved(&place, &arguments);
                daemon.go_on();
                if parent != "drop" {
                    assert_eq!(daemon.ends(), Some(Ends::Code(ends)), "{arguments}");
                }
                daemon.expect("to commit");
                check_reserved(&place, &arguments);
                daemon.go_on();
                let line = daemon.line();
                let pid = line
                    .strip_prefix("committed ")
                    .and_then(|pid| pid.parse().ok());
                let pid = pid.unwrap_or_else(|| panic!("{arguments}: {line:?}"));
                assert_ne!(pid, daemon.child.id(), "{arguments}");
                place.check_held(true, pid, &arguments);
                daemon.go_on();
                if parent == "drop" {
                    let died = match child {
                        "term" | "reset" => "died of 15",
                        _ => "exited 0",
                    };
                    daemon.expect(&format!("child {died}"));
                    assert_eq!(daemon.ends(), Some(Ends::Code(ends)), "{arguments}");
                }
                daemon.expect("");
                place.check(After::Gone, pid, &arguments);
                place.check_next_start(true, &arguments);
            }
        }
    }
}

#[test]
fn process_that_reserved_can_commit_and_removes_the_file() {
    for (what, ends) in [
        ("return", Ends::Code(0)),
        ("exit", Ends::Code(0)),
        ("term", Ends::By(Signal::TERM)),
    ] {
        let place = Place::new(1);
        let mut program = Talk::start(&format!("reserve stay {what}"), &place);
        program.expect("reserved");
        check_reserved(&place, what);
        program.go_on();
        program.expect("to commit");
        program.go_on();
        let pid = program.child.id();
        program.expect(&format!("committed {pid}"));
        place.check_held(true, pid, what);
        program.go_on();
        assert_eq!(program.ends(), Some(ends));
        place.check(After::Gone, pid, what);
    }
}

#[test]
fn reservation_dropped_before_fork_removes_file() {
    let place = Place::new(1);
    let mut program = Talk::start("reserve stay drop", &place);
    program.expect("reserved");
    check_reserved(&place, "drop");
    program.go_on();
    program.expect("dropped");
    place.check(After::Gone, 0, "drop");
    place.check_next_start(true, "drop");
}

#[test]
fn reservation_dropped_in_the_child_stays_with_the_parent() {
    let place = Place::new(1);
    let mut program = Talk::start("reserve wait drop", &place);
    program.expect("reserved");
    program.go_on();
    program.expect("dropped");
    check_reserved(&place, "dropped in the child");
    program.go_on();
    program.expect("child exited 0");
    assert_eq!(program.ends(), Some(Ends::Code(0)));
    // The parent leaves the file, because it cannot know whether the child has committed.
    place.check(After::Empty, 0, "drop");
    place.check_next_start(true, "drop");
}

#[test]
fn reservation_that_is_never_committed_leaves_a_free_file() {
    for (parent, ends) in [("return", 0), ("exit", 7), ("_exit", 7), ("wait", 0)] {
        let place = Place::new(1);
        let mut program = Talk::start(&format!("reserve {parent} die"), &place);
        program.expect("reserved");
        program.go_on();
        assert_eq!(program.ends(), Some(Ends::Code(ends)), "{parent}");
        while !program.line().is_empty() {}
        place.check(After::Empty, 0, parent);
        place.check_next_start(true, parent);
    }
    let place = Place::new(1);
    let mut program = Talk::start("reserve stay die", &place);
    program.expect("reserved");
    program.child.kill().expect("kill the program");
    let status = program.child.wait().expect("wait for the program");
    assert_eq!(status.signal(), Some(9));
    place.check(After::Empty, 0, "killed");
    place.check_next_start(true, "killed");
}

/// The parent and the child commit one after the other, or at the same time.
#[test]
fn commits_of_parent_and_child_in_any_order_make_one_holder() {
    for (parent, rounds) in [("first", 3), ("second", 3), ("race", 50)] {
        for _ in 0..rounds {
            let place = Place::new(1);
            let mut program = Talk::start(&format!("reserve {parent} try"), &place);
            program.expect("reserved");
            program.go_on();
            let mut lines = [program.line(), program.line(), program.line()];
            lines.sort_by_key(|line| line.starts_with("child"));
            lines[..2].sort_by_key(|line| !line.ends_with(" is in"));
            let [winner, loser, child] = &lines;
            let what = format!("{parent}: {lines:?}");
            assert_eq!(child, "child exited 0", "{what}");
            let winner = winner.strip_suffix(" is in").expect(&what);
            let refused = format!("is refused by {winner}, contention: true");
            assert!(loser.ends_with(&refused), "{what}");
            assert_eq!(program.ends(), Some(Ends::Code(0)), "{what}");
            let is_parent = winner == program.child.id().to_string();
            match parent {
                "first" => assert!(is_parent, "{what}"),
                "second" => assert!(!is_parent, "{what}"),
                _ => {}
            }
            // The child calls `_exit`, which leaves its file. The parent returns.
            let left = if is_parent {
                String::new()
            } else {
                format!("{winner}\n")
            };
            assert_eq!(text(place.path()), left, "{what}");
            place.check_next_start(true, &what);
        }
    }
}

#[test]
fn reserve_without_lock_or_while_the_file_is_held_fails() {
    let place = Place::new(1);
    let file = PidFile::at(place.path());
    let error = file
        .clone()
        .lock(false)
        .reserve()
        .expect_err("a reservation needs the lock");
    assert!(
        matches!(error, PidFileError::Configuration { .. }),
        "{error}"
    );
    place.check(After::Gone, 0, "not reserved");

    let guard = file.acquire().expect("acquire");
    let mut other = Program::start(&mut terminate("reserve stay return", &place));
    let refused = format!("already locked by PID {}", std::process::id());
    let line = other.line();
    assert!(
        line.starts_with("refused: ") && line.ends_with(&refused),
        "{line}"
    );
    assert_eq!(other.finish().0.code(), Some(3));
    for file in [file.clone(), file.clone().reentrant(true)] {
        let error = file.reserve().expect_err("this process holds the file");
        assert_eq!(error.pid(), Some(std::process::id()), "{error}");
        guard.verify().expect("still held");
    }
    guard.close().expect("release");
    place.check(After::Gone, 0, "released");
}

#[test]
fn reserved_file_with_keep_is_left_empty() {
    let place = Place::new(1);
    let file = PidFile::at(place.path()).keep(true);
    drop(file.reserve().expect("reserve"));
    place.check(After::Empty, 0, "keep");
    let guard = file.reserve().expect("reserve").commit().expect("commit");
    place.check_held(true, std::process::id(), "keep");
    guard.close().expect("release");
    place.check(After::Empty, 0, "keep");
    place.check_next_start(true, "keep");
}

#[test]
fn commit_of_a_removed_file_fails() {
    let place = Place::new(1);
    let reservation = PidFile::at(place.path()).reserve().expect("reserve");
    std::fs::remove_file(place.path()).expect("remove the file");
    let error = reservation.commit().expect_err("the file was removed");
    assert!(matches!(error, PidFileError::Replaced { .. }), "{error}");
    place.check_next_start(true, "removed");
}
