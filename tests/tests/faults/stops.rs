//! Faults at every system call of a stop.

use super::cases::STOPS;
use super::errors::{Way, any};
use super::{deaths, errors};

const ERRORS: &[i32] = &[
    libc::EINTR,
    libc::EIO,
    libc::EACCES,
    libc::EMFILE,
    libc::ENOLCK,
    libc::ENOSYS,
    libc::EPERM,
];

#[test]
fn failed_syscall_of_a_stop_is_survived_or_reported() {
    let what = "errors at every system call of a stop";
    errors::test(STOPS, any, Way::Refused, ERRORS, what);
}

#[test]
fn persistent_error_in_a_stop_is_reported() {
    const STAYING: &[i32] = &[libc::EIO, libc::ENOSYS];
    let what = "errors that stay, in a stop";
    errors::test(STOPS, any, Way::Persistent, STAYING, what);
}

#[test]
fn kill_at_any_syscall_of_a_stop_lets_the_next_stop_succeed() {
    deaths::test(STOPS, "death before and after every system call of a stop");
}
