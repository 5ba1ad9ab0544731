//! Faults at every system call of a start that waits for a holder, and whose holder then ends.

use pidlock_tests::length;
use pidlock_tests::ptrace::Call;
use pidlock_tests::tally::Figures;

use super::cases::{Case, WAITS};
use super::errors::{Way, any};
use super::lives::live;
use super::place::Place;
use super::runs::{Moment, each};
use super::{deaths, errors};

/// Errors that any call can have.
const ERRORS: &[i32] = &[
    libc::EINTR,
    libc::EIO,
    libc::EACCES,
    libc::ENOLCK,
    libc::ENOSYS,
];

/// Errors that only the calls of `waits` can have, or for which pidlock has a way out there.
const OF_WAITS: &[i32] = &[
    libc::EAGAIN,
    libc::EINVAL,
    libc::EMFILE,
    libc::ENOENT,
    libc::ENOSPC,
    libc::ESRCH,
];

/// Returns `true` for the calls with which a start watches, sleeps, and wakes.
fn waits(call: Call) -> bool {
    const WAITS: [libc::c_long; 8] = [
        libc::SYS_clone3,
        libc::SYS_eventfd2,
        libc::SYS_inotify_add_watch,
        libc::SYS_inotify_init1,
        libc::SYS_pidfd_open,
        libc::SYS_ppoll,
        libc::SYS_read,
        libc::SYS_write,
    ];
    WAITS.iter().any(|&number| call.is(number))
}

#[test]
fn failed_syscall_of_a_wait_is_survived_or_reported() {
    let what = "errors at every system call of a wait";
    errors::test(WAITS, any, Way::Refused, ERRORS, what);
    errors::test(WAITS, waits, Way::Refused, OF_WAITS, what);
}

#[test]
fn persistent_error_in_a_wait_makes_no_second_holder() {
    const STAYING: &[i32] = &[libc::EIO, libc::ENOSYS];
    let what = "errors that stay, in a wait";
    errors::test(WAITS, any, Way::Persistent, STAYING, what);
}

#[test]
fn error_of_a_completed_syscall_of_a_wait_makes_no_second_holder() {
    // The kernel never reports an error for a thread that it has created.
    let can_fail = |call: Call| !call.is(libc::SYS_clone3);
    let what = "lost answers in a wait";
    errors::test(WAITS, can_fail, Way::ReplyLost, &[libc::EIO], what);
}

#[test]
fn kill_at_any_syscall_of_a_wait_lets_the_next_start_succeed() {
    deaths::test(WAITS, "death before and after every system call of a wait");
}

/// Ends the holder before the call with this number.
fn serve(case: Case, number: usize) {
    let mut place = Place::new(case);
    let path = place.path.clone();
    let before = |moment| matches!(moment, Moment::Before(_));
    let life = live(case, &path, number, before, |_| {
        place.end_holder();
        true
    });
    let life = life.expect("the start waits for the holder");
    assert!(life.was_inside(case, number), "{case:?}, at call {number}");
    assert_eq!(place.check_free(), Ok(()), "{case:?}, at call {number}");
}

#[test]
fn holder_that_ends_before_any_syscall_of_a_wait_is_succeeded() {
    let is_traced = |case: &&Case| !case.has("--helper");
    each(
        WAITS.iter().filter(is_traced).enumerate(),
        |(job, &case)| {
            // Until the second sleep.
            let calls = if case.locks() { 26 } else { 80 };
            let numbers: Vec<usize> = length::calls(job).take_while(|&it| it < calls).collect();
            numbers.iter().for_each(|&number| serve(case, number));
            let lives = numbers.len() as u64;
            let figures = Figures {
                holds: lives,
                ..Figures::survived(lives)
            };
            figures.record("ends of a holder at every system call of a wait");
        },
    );
}
