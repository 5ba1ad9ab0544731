//! Waits for a pidfile, acquires it, and holds it until its input ends.
//!
//! `waiter [OPTION..] PATH`, where the options are
//! - `--timeout MILLISECONDS`: how long to wait; without it, for ever
//! - `--keep`, `--no-lock`: settings of the pidfile
//! - `--async`: acquires with a future, on an executor that only parks the thread
//! - `--reserve`: reserves and commits
//! - `--hold MILLISECONDS`: holds for this time, and not until the input ends
//! - `--oracle PATH`: checks that it is the only holder (see `pidlock_tests::only_holder`)
//! - `--no-inotify`: runs as if the user had too many inotify instances
//! - `--fork`: forks a child when it begins to wait; the child drops what it inherited, waits in its own
//!   turn, and prints `child held` when it has acquired and released the file
//!
//! It prints `waiting PID` when it begins to wait, and then `held`, or `refused: WHY` and exits with 3.

#![allow(unsafe_code)]

use std::future::Future;
use std::io::{Read, Write};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::task::Context;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError, PidGuard};
use pidlock_tests::{block_on, only_holder, waker_of_this_thread};

fn main() -> ExitCode {
    let mut file = PidFile::default();
    let mut settings: Vec<Box<dyn Fn(PidFile) -> PidFile>> = Vec::new();
    let (mut by_future, mut reserves, mut forks, mut hold) = (false, false, false, None);
    let (mut timeout, mut oracle) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("the option has a value");
        let milliseconds =
            |value: String| Duration::from_millis(value.parse().expect("parse milliseconds"));
        match argument.as_str() {
            "--timeout" => timeout = Some(milliseconds(value())),
            "--hold" => hold = Some(milliseconds(value())),
            "--oracle" => oracle = Some(value()),
            "--keep" => settings.push(Box::new(|file| file.keep(true))),
            "--no-lock" => settings.push(Box::new(|file| file.lock(false))),
            "--async" => by_future = true,
            "--reserve" => reserves = true,
            "--fork" => forks = true,
            "--no-inotify" => without_inotify(),
            path => file = PidFile::at(path),
        }
    }
    file = settings.iter().fold(file, |file, set| set(file));
    file = match timeout {
        Some(timeout) => file.timeout(timeout),
        None => file.wait(true),
    };
    file = file.on_wait(move |refusal| {
        // A program that forks says so once it sleeps.
        if !forks {
            say(&format!("waiting {}", refusal.pid().unwrap_or_default()));
        }
    });
    let acquired = match (by_future, reserves) {
        (true, _) if forks => fork_while_waiting(&file),
        (true, _) => block_on(file.acquire_async()),
        (false, true) => file.reserve().and_then(|reservation| reservation.commit()),
        (false, false) => file.acquire(),
    };
    match acquired {
        Ok(guard) => {
            let oracle = oracle.map(|path| only_holder(Path::new(&path)));
            say("held");
            match hold {
                Some(time) => thread::sleep(time),
                None => drop(std::io::stdin().read_to_end(&mut Vec::new())),
            }
            drop(oracle);
            guard.close().expect("close the guard");
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("refused: {error}"));
            ExitCode::from(3)
        }
    }
}

/// Polls the future until it is pending, forks, and goes on with it in both processes.
fn fork_while_waiting(file: &PidFile) -> Result<PidGuard, PidFileError> {
    let mut future = pin!(file.acquire_async());
    let waker = waker_of_this_thread();
    let mut context = Context::from_waker(&waker);
    // Once more, so that it sleeps for an event.
    for _ in 0..2 {
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    let holder = file.status().expect("inspect the file").pid();
    say(&format!("waiting {}", holder.unwrap_or_default()));
    // SAFETY: the child allocates and starts a thread, which glibc allows after a fork.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            let guard = block_on(future).expect("acquire in the child");
            guard.verify().expect("verify in the child");
            guard.close().expect("close in the child");
            say("child held");
            // SAFETY: ends the process; no code of the program runs after it.
            unsafe { libc::_exit(0) }
        }
        _ => block_on(future),
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn without_inotify() {
    pidlock_tests::seccomp::trap(&[libc::SYS_inotify_init1], |_| -i64::from(libc::EMFILE));
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn without_inotify() {}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("write to stdout");
    out.flush().expect("flush stdout");
}
