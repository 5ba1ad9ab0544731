//! Signals while a pidfile is being created or removed.
//!
//! The program `signal_midway` intercepts its own system calls, which only Linux supports.
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
    /// The events, then the action that they interrupt: `CALL:NTH:WHAT HOW`, see `signal_midway`.
    arguments: &'static str,
    pidfiles: usize,
    says: &'static str,
    ends: Ends,
    /// The indices of the pidfiles that are left.
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

/// The program ends after the file has been created or removed, and leaves no file but one that is
/// only reserved.
#[test]
fn signal_during_create_or_remove_takes_effect_afterwards() {
    for row in [
        row("unlink:1:15 drop", 4, "errno kept\n", TERM, &[]),
        row("unlink:1:1 drop", 4, "errno kept\n", By(Signal::HUP), &[]),
        // Before it removes the file, the release locks it again to check that it still holds the
        // lock.
        row("flock:1:15 drop", 4, "errno kept\n", TERM, &[]),
        row("flock:1:15 acquire", 1, "errno kept\n", TERM, &[]),
        row("flock:1:15 acquire", 4, "errno kept\n", TERM, &[]),
        row("pwrite:1:15 acquire", 4, "errno kept\n", TERM, &[]),
        row("pwrite:1:15 commit", 4, "errno kept\n", TERM, &[]),
        row("unlink:2:15 exit", 4, "errno kept\n", TERM, &[]),
        // Two signals in a row, as service managers send them.
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
        // The first signal removes the new file. The second one arrives during that removal.
        row(
            "pwrite:1:15+unlink:1:1 acquire",
            1,
            "errno kept\nerrno kept\n",
            TERM,
            &[],
        ),
        // A reserved file has no owner before the commit, so the handler leaves it. It is empty.
        row("flock:1:15 reserve", 4, "errno kept\n", TERM, &[3]),
    ] {
        row.check();
    }
}

/// A user who presses Ctrl-C again does not want to wait.
#[test]
fn repeated_signal_during_create_or_remove_ends_the_program_at_once() {
    for row in [
        row("unlink:1:15,15 drop", 4, "errno kept\n", TERM, &[2]),
        row("pwrite:1:15,15 acquire", 4, "errno kept\n", TERM, &[3]),
    ] {
        row.check();
    }
}

#[test]
fn start_that_a_signal_ends_before_it_is_refused_leaves_the_holders_file() {
    let place = Place::new(3);
    let held = place.paths[2].clone();
    let holder = PidFile::at(&held).acquire().expect("acquire");
    let (status, said) = midway("flock:1:15 acquire", &place).finish();
    assert_eq!(
        (Ends::of(status), said.as_str()),
        (Some(TERM), "errno kept\n")
    );
    assert_eq!(place.all(), [(held, format!("{}\n", std::process::id()))]);
    holder.verify().expect("still held");
    holder.close().expect("release");
}

#[test]
fn signal_on_another_thread_during_create_or_remove_takes_effect_afterwards() {
    for row in [
        row("unlink:1:other drop", 4, "", By(Signal::HUP), &[]),
        row("flock:1:other acquire", 4, "", By(Signal::HUP), &[]),
        row("pwrite:1:other acquire", 4, "", By(Signal::HUP), &[]),
        row("pwrite:1:other commit", 4, "", By(Signal::HUP), &[]),
    ] {
        row.check();
    }
}

/// Another thread drops its guard in its last thread-local destructor, while a signal is pending.
/// The drop waits until the process ends, and cannot use thread-locals for that, because they are
/// gone.
#[test]
fn guard_dropped_in_a_thread_local_destructor_waits_for_a_pending_signal() {
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
fn signals_on_two_threads_remove_each_file_once() {
    row("unlink:2:other 15", 4, "", TERM, &[]).check();
}

#[test]
fn signal_handler_runs_on_the_alternate_stack() {
    row(
        "unlink:1:stack 15",
        2,
        "on the alternate stack\n",
        TERM,
        &[],
    )
    .check();
}

/// `exit` cannot wait until the file is removed: the thread that removes the file may be the thread
/// that calls `exit`, in a handler.
#[test]
fn exit_during_a_removal_leaves_at_most_that_file_and_does_not_hang() {
    for arguments in ["unlink:1:exit drop", "unlink:1:exit_here drop"] {
        row(arguments, 4, "", Code(7), &[2]).check();
    }
}
