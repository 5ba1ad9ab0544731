//! Another process acts between any two system calls of a stop.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use libc::c_int;
use pidlock_tests::length;
use pidlock_tests::ptrace::{Call, Ending, Stepper, Stop};

use super::reuse::{Lock, in_pid_namespace, replace_by_stranger, start};
use super::{Place, assert_terminated, check_untouched, hold};

/// Runs a stop, and calls `happens` before the call with this number, counted from where `begins`
/// returns `true`. A call for which `error` returns one fails with it; the flag is `true` for the call
/// with this number. Returns what the stop prints, or `None` if it is over before that call.
fn stop(
    path: &Path,
    milliseconds: &str,
    number: usize,
    mut begins: impl FnMut(Stop) -> bool,
    error: impl Fn(bool, Call) -> Option<c_int>,
    happens: impl FnOnce(),
) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stopper"));
    let mut stopper = Stepper::start(command.arg("--traced").arg(path).arg(milliseconds));
    let (mut has_begun, mut calls, mut happens) = (false, 0, Some(happens));
    let ending = loop {
        let stop = stopper.step();
        match stop {
            Stop::Before(call) if has_begun => {
                let is_chosen = calls == number;
                calls += 1;
                if is_chosen {
                    happens.take().into_iter().for_each(|happens| happens());
                }
                if let Some(error) = error(is_chosen, call) {
                    stopper.refuse(error);
                }
            }
            Stop::Ended(ending) => break ending,
            _ => has_begun |= begins(stop),
        }
    };
    assert_eq!(ending, Ending::Code(0), "at call {number}");
    let said = stopper.wait_for_all();
    happens.is_none().then_some(said)
}

/// An unconfirmed holder is looked for again and again, with the same calls.
const MAX_CALLS: usize = 100;

/// Gives the PID of the holder to a stranger before each of these calls of a stop. The holder is at
/// least `age` old then. Returns the first number that no call has.
fn reuse_pid(
    path: &Path,
    lock: Lock,
    age: Duration,
    numbers: impl IntoIterator<Item = usize>,
    error: impl Fn(bool, Call) -> Option<c_int>,
) -> Option<usize> {
    numbers.into_iter().find(|&number| {
        let mut holder = start(path, lock);
        thread::sleep(age);
        let mut stranger = None;
        let happens = || stranger = Some(replace_by_stranger(&mut holder));
        let said = stop(path, "20", number, |_| true, &error, happens);
        drop(holder);
        let _ = fs::remove_file(path);
        stranger.into_iter().for_each(check_untouched);
        said.is_none()
    })
}

/// The calls before which a stranger gets the PID, and how old the holder is then.
fn numbers() -> [(Lock, Duration, Vec<usize>); 3] {
    // A process that starts less than 50 ms after the file was written can be its writer.
    const SLACK: Duration = Duration::from_millis(70);
    // Any of the calls may matter where nothing but the PID leads to the stranger.
    let all: Vec<usize> = (0..MAX_CALLS).collect();
    let some: Vec<usize> = length::calls(0).take_while(|&it| it < MAX_CALLS).collect();
    [
        (Lock::Ends, Duration::ZERO, all),
        (Lock::Stays, Duration::ZERO, some.clone()),
        (Lock::None, SLACK, some),
    ]
}

/// Unlike the rounds in `reuse`, this hits the instant between the confirmation and the signal.
#[test]
fn stranger_that_gets_the_pid_before_any_call_of_a_stop_is_never_signalled() {
    let test = "traced::stranger_that_gets_the_pid_before_any_call_of_a_stop_is_never_signalled";
    in_pid_namespace(test, |place| {
        let path = place.join("app.pid");
        for (lock, age, numbers) in numbers() {
            let last = reuse_pid(&path, lock, age, numbers, |_, _| None);
            assert!(
                last.unwrap_or(MAX_CALLS) > 30,
                "a stop makes {last:?} calls"
            );
        }
    });
}

/// Returns `true` for calls with which a stop finds and signals the holder, and which can fail.
fn can_fail(call: Call) -> bool {
    const CALLS: &[libc::c_long] = &[
        libc::SYS_flock,
        libc::SYS_getdents64,
        libc::SYS_newfstatat,
        libc::SYS_openat,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_send_signal,
        libc::SYS_ppoll,
        libc::SYS_pread64,
        libc::SYS_read,
        libc::SYS_readlink,
        libc::SYS_statx,
    ];
    CALLS.iter().any(|&number| call.is(number))
}

#[test]
fn stranger_that_gets_the_pid_before_a_call_that_fails_is_never_signalled() {
    let test = "traced::stranger_that_gets_the_pid_before_a_call_that_fails_is_never_signalled";
    in_pid_namespace(test, |place| {
        let path = place.join("app.pid");
        for error in length::some([libc::ENOSYS, libc::EIO]) {
            for (lock, age, numbers) in numbers() {
                let fails = |is_chosen, call| (is_chosen && can_fail(call)).then_some(error);
                reuse_pid(&path, lock, age, numbers, fails);
            }
        }
    });
}

/// Start times are compared then. From the last time that one is read until the signal is sent, there is
/// an instant in which a stranger would be signalled.
#[test]
fn stranger_that_gets_the_pid_is_not_signalled_without_pid_file_descriptors() {
    /// Longer than the clock tick that is the unit of a start time.
    const AGE: Duration = Duration::from_millis(20);
    let test = "traced::stranger_that_gets_the_pid_is_not_signalled_without_pid_file_descriptors";
    in_pid_namespace(test, |place| {
        let path = place.join("app.pid");
        let [calls, last_open, instant] = [const { Cell::new(0) }; 3];
        let fails = |_, call: Call| {
            calls.set(calls.get() + 1);
            if call.is(libc::SYS_openat) {
                last_open.set(calls.get());
            }
            if call.is(libc::SYS_kill) {
                instant.set(last_open.get());
            }
            call.is(libc::SYS_pidfd_open).then_some(libc::ENOSYS)
        };
        reuse_pid(&path, Lock::Ends, AGE, [usize::MAX], fails);
        let instant = instant.get();
        assert!(instant > 30, "the start time is read by call {instant}");
        let numbers = (0..instant).rev().step_by(length::by_length(3, 1));
        reuse_pid(&path, Lock::Ends, AGE, numbers, fails);
    });
}

/// The holder releases the file and goes on running, and another process acquires it, after the stop
/// has read the record.
#[test]
fn process_that_acquires_the_file_during_a_stop_is_not_signalled() {
    // The record is read until two reads agree.
    let has_read_twice = || {
        let is_read = |stop| matches!(stop, Stop::After(call) if call.is(libc::SYS_pread64));
        let mut reads = 0;
        move |stop| {
            reads += u32::from(is_read(stop));
            reads == 2
        }
    };
    for keep in [&[][..], &["--keep"]] {
        let last = (0..MAX_CALLS).find(|&number| {
            let place = Place::new();
            let mut old = place.hold(&[keep, &["--then", "serve"]].concat());
            let mut new = None;
            let happens = || {
                old.tell("release");
                while old.line() != "released" {}
                new = Some(hold(&place.path, keep));
            };
            let Some(said) = stop(
                &place.path,
                "60000",
                number,
                has_read_twice(),
                |_, _| None,
                happens,
            ) else {
                return true;
            };
            let said = said.trim_end();
            assert!(
                ["stopped", "was free"].contains(&said),
                "at call {number}: {said}"
            );
            let (status, rest) = new.expect("a new holder").finish();
            assert!(
                status.success() && rest == "closed\n",
                "at call {number}: {status}"
            );
            old.finish();
            false
        });
        assert!(
            last.unwrap_or(MAX_CALLS) > 20,
            "a stop makes {last:?} calls"
        );
    }
}

/// As before Linux 5.3, and in a sandbox.
#[test]
fn holder_is_stopped_without_pid_file_descriptors() {
    for error in [libc::ENOSYS, libc::EPERM] {
        let place = Place::new();
        let mut holder = place.hold(&[]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stopper"));
        let mut stopper = Stepper::start(command.arg("--traced").arg(&place.path).arg("60000"));
        let mut refused = 0;
        loop {
            match stopper.step() {
                Stop::Before(call) if call.is(libc::SYS_pidfd_open) => {
                    stopper.refuse(error);
                    refused += 1;
                }
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        assert_eq!(stopper.wait_for_all(), "stopped\n");
        assert!(refused > 0, "the stop opens a PID file descriptor");
        assert_terminated(&mut holder);
    }
}
