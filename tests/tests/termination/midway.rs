//! Signals in the very middle of making or removing a pidfile.
//!
//! Only where the program can put itself in the place of the system's calls, as on Linux.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::Program;
use rustix::process::Signal;

use super::{Ends, Place};
use Ends::{By, Code};

const TERM: Ends = By(Signal::TERM);

struct Row {
    /// In the how many-th of which call what happens; and what it is that is going on.
    arguments: &'static str,
    pidfiles: usize,
    says: &'static str,
    ends: Ends,
    /// Which of the pidfiles stay, by their number.
    stay: &'static [usize],
}

const fn row(
    arguments: &'static str,
    pidfiles: usize,
    says: &'static str,
    ends: Ends,
    stay: &'static [usize],
) -> Row {
    Row {
        arguments,
        pidfiles,
        says,
        ends,
        stay,
    }
}

fn midway(arguments: &str, place: &Place) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal_midway"));
    command
        .args(arguments.split_whitespace())
        .args(&place.paths);
    Program::start(&mut command)
}

impl Row {
    fn check(&self) {
        let place = Place::new(self.pidfiles);
        let mut program = midway(self.arguments, &place);
        let (status, said) = program.finish();
        let what = format!("{}: {said}", self.arguments);
        assert_eq!(Ends::of(status), Some(self.ends), "{what}");
        assert_eq!(said, self.says, "{what}");
        let left: Vec<_> = place.all().into_iter().map(|(path, _)| path).collect();
        let stay: Vec<_> = self.stay.iter().map(|&n| place.paths[n].clone()).collect();
        assert_eq!(left, stay, "{what}");
        place.check_next_start(true, &what);
    }
}

/// The signal waits until the file is made, or removed, and no file stays.
#[test]
fn a_signal_in_the_middle_waits_for_the_end_of_it() {
    for row in [
        row("unlink:1:15 drop", 4, "errno kept\n", TERM, &[]),
        row("unlink:1:1 drop", 4, "errno kept\n", By(Signal::HUP), &[]),
        // Before the file is removed, the release checks that the lock is still held.
        row("flock:1:15 drop", 4, "errno kept\n", TERM, &[]),
        row("flock:1:15 acquire", 1, "errno kept\n", TERM, &[]),
        row("flock:1:15 acquire", 4, "errno kept\n", TERM, &[]),
        row("pwrite:1:15 acquire", 4, "errno kept\n", TERM, &[]),
        row("pwrite:1:15 commit", 4, "errno kept\n", TERM, &[]),
        row("unlink:2:15 exit", 4, "errno kept\n", TERM, &[]),
        // Two in a row, as service managers send them.
        row(
            "unlink:1:15,1 drop",
            4,
            "errno kept\nerrno kept\n",
            TERM,
            &[],
        ),
        row(
            "pwrite:1:15,1 acquire",
            4,
            "errno kept\nerrno kept\n",
            TERM,
            &[],
        ),
        // The second comes when the file, once it was made, is being removed for the first.
        row(
            "pwrite:1:15+unlink:1:1 acquire",
            1,
            "errno kept\nerrno kept\n",
            TERM,
            &[],
        ),
        // A reserved file has no owner yet who would remove it, and is empty.
        row("flock:1:15 reserve", 4, "errno kept\n", TERM, &[3]),
    ] {
        row.check();
    }
}

/// Somebody who presses Ctrl-C again does not want to wait.
#[test]
fn the_same_signal_again_ends_the_program_at_once() {
    for row in [
        row("unlink:1:15,15 drop", 4, "errno kept\n", TERM, &[2]),
        row("pwrite:1:15,15 acquire", 4, "errno kept\n", TERM, &[3]),
    ] {
        row.check();
    }
}

#[test]
fn a_start_that_a_signal_ends_just_before_it_is_refused_leaves_the_holders_file() {
    let place = Place::new(3);
    let held = place.paths[2].clone();
    let holder = PidFile::at(&held).acquire().expect("a start");
    let (status, said) = midway("flock:1:15 acquire", &place).finish();
    assert_eq!(
        (Ends::of(status), said.as_str()),
        (Some(TERM), "errno kept\n")
    );
    assert_eq!(place.all(), [(held, format!("{}\n", std::process::id()))]);
    holder.verify().expect("still held");
    holder.close().expect("an end");
}

#[test]
fn a_signal_on_another_thread_waits_just_as_well() {
    for row in [
        row("unlink:1:other drop", 4, "", By(Signal::HUP), &[]),
        row("flock:1:other acquire", 4, "", By(Signal::HUP), &[]),
        row("pwrite:1:other acquire", 4, "", By(Signal::HUP), &[]),
        row("pwrite:1:other commit", 4, "", By(Signal::HUP), &[]),
    ] {
        row.check();
    }
}

/// The other cannot drop its guard any more, and waits for the end without what threads have to wait
/// with.
#[test]
fn a_thread_that_drops_its_guard_at_its_very_end_waits_for_a_signal() {
    row(
        "flock:1:15+pwrite:1:last acquire",
        4,
        "errno kept\n",
        TERM,
        &[],
    )
    .check();
}

#[test]
fn two_signals_on_two_threads_remove_everything_once() {
    row("unlink:2:other 15", 4, "", TERM, &[]).check();
}

#[test]
fn a_handler_runs_on_the_alternate_stack() {
    row(
        "unlink:1:stack 15",
        2,
        "on the alternate stack\n",
        TERM,
        &[],
    )
    .check();
}

/// It cannot be waited for: the thread may be the one that calls `exit`, in a handler.
#[test]
fn exit_in_the_middle_leaves_at_most_that_file_and_does_not_hang() {
    for arguments in ["unlink:1:exit drop", "unlink:1:exit_here drop"] {
        row(arguments, 4, "", Code(7), &[2]).check();
    }
}
