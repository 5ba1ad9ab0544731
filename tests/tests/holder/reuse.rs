//! A stranger gets the PID of the holder at some moment of a stop. It is never signalled.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::length::by_length;
use pidlock_tests::rerun_in_namespace::{self, can_unshare};
use pidlock_tests::{Program, is_root};

use super::{LONG, check_untouched, hold};

/// What happens to the lock when the holder is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It ends.
    Ends,
    /// A child goes on with it, so the stranger's PID is in a locked file.
    Stays,
    /// The holder does not lock, so only times tell that the stranger is not the holder.
    None,
}

/// Starts a holder, and a child of it if the lock stays.
pub(crate) fn start(path: &Path, lock: Lock) -> Program {
    match lock {
        Lock::Ends => hold(path, &[]),
        Lock::None => hold(path, &["--no-lock"]),
        Lock::Stays => {
            let mut holder = hold(path, &["--then", "inherit"]);
            let line = holder.line();
            assert!(line.starts_with("forked "), "{line}");
            holder
        }
    }
}

/// Kills the holder, and starts a process that has its PID, and nothing to do with the pidfile.
pub(crate) fn replace_by_stranger(holder: &mut Program) -> Program {
    holder.kill();
    fs::write(
        "/proc/sys/kernel/ns_last_pid",
        (holder.pid() - 1).to_string(),
    )
    .expect("PID 1 of a namespace can choose the next PID");
    let stranger = super::stranger();
    assert_eq!(stranger.pid(), holder.pid());
    stranger
}

/// Runs the test in a namespace of its own, where it can choose PIDs.
pub(crate) fn in_pid_namespace(test: &str, check: impl FnOnce(&Path)) {
    if let Some(place) = rerun_in_namespace::inside() {
        return check(&place);
    }
    let flags: &[&str] = match is_root() {
        true => &["--pid", "--fork", "--mount-proc"],
        false => &[
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
        ],
    };
    if can_unshare(flags) {
        rerun_in_namespace::within(test, flags, ":");
    }
}

#[test]
fn stranger_that_gets_the_pid_during_a_stop_is_never_signalled() {
    let test = "reuse::stranger_that_gets_the_pid_during_a_stop_is_never_signalled";
    in_pid_namespace(test, |place| {
        (0..by_length(100, 1_000)).for_each(|round| check_round(&place.join("app.pid"), round));
    });
}

fn check_round(path: &Path, round: usize) {
    let (lock, timeout) = match round % 2 {
        0 => (Lock::Ends, LONG),
        _ => (Lock::Stays, Duration::from_millis(20)),
    };
    let mut holder = start(path, lock);
    // The stop begins before the holder is killed, after that, or when the stranger runs.
    let delays = [0, 200, 400, 800, 1_600, 3_200].map(Duration::from_micros);
    let [for_stop, for_kill] = match round / 2 % 12 {
        early @ 0..6 => [Duration::ZERO, delays[early]],
        late => [delays[late - 6], Duration::ZERO],
    };
    let stopped = thread::scope(|scope| {
        let stop = scope.spawn(|| {
            thread::sleep(for_stop);
            PidFile::at(path).stop(timeout)
        });
        thread::sleep(for_kill);
        let stranger = replace_by_stranger(&mut holder);
        let stopped = stop.join().expect("no panic");
        check_untouched(stranger);
        stopped
    });
    match stopped {
        Ok(_) | Err(PidFileError::Unconfirmed { .. }) => {}
        Err(PidFileError::Io { .. }) if lock == Lock::Stays => {}
        Err(error) => panic!("round {round}: {error}"),
    }
    drop(holder);
    let _ = fs::remove_file(path);
}
