//! Two threads of one process. At any system call of the first thread, the second thread acquires
//! or releases a file that the first thread may have just inspected.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use pidlock_tests::length::by_length;
use pidlock_tests::tally::Figures;
use pidlock_tests::{stale_record, text};

use super::cases::{Case, Initial};
use super::lives::{live, sum};
use super::runs::Moment;

/// Waits until the other thread has exited, or until it is waiting for a mutex that the stopped
/// thread holds.
fn wait_for_other_thread(process: u32) {
    let tasks = format!("/proc/{process}/task");
    let waits = |thread: &Path| {
        let call = text(&thread.join("syscall"));
        call.split(' ').next() == Some(&libc::SYS_futex.to_string())
    };
    loop {
        let others = fs::read_dir(&tasks)
            .expect("read the directory")
            .map(|thread| thread.expect("read an entry").path())
            .filter(|thread| !thread.ends_with(process.to_string()));
        if others.into_iter().all(|thread| waits(&thread)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn after(moment: Moment) -> bool {
    matches!(moment, Moment::After(_))
}

/// Moves the stale file after the call with this number, to the path where the other thread
/// acquires it. Returns `false` if the start is over before that, or the stale file is not at the
/// path.
fn move_away(case: Case, number: usize) -> bool {
    let dir = tempfile::tempdir().expect("create a directory");
    let at = |name: &str| dir.path().join(name);
    let (path, other) = (at("app.pid"), at("app.other"));
    fs::write(&path, stale_record()).expect("write a stale file");
    let inode = |path: &Path| fs::metadata(path).map(|file| file.ino()).ok();
    let stale = inode(&path);
    let life = live(case, &path, number, after, |run| {
        let is_there = inode(&path) == stale;
        if is_there {
            fs::rename(&path, &other).expect("move the file");
            wait_for_other_thread(run.stepper.pid());
        }
        is_there
    });
    let Some(mut life) = life else { return false };
    let second = life.run.stepper.line();
    let (said, there) = (&life.said, !life.record.is_empty());
    let what =
        format!("{case:?}, after call {number}: {said:?}, {second}, file at the path: {there}");
    // The start has a file of its own, or learns at its release that the file it locked was moved.
    assert_eq!(said[0], "in", "{what}");
    assert_eq!(said[1] == "closed", there, "{what}");
    let refused = second.starts_with("second unsound: ") && second.contains("already locked");
    assert!(second == "second sound" || refused, "{what}");
    if !case.locks() {
        assert!(there && !refused, "{what}");
    }
    true
}

#[test]
fn hold_of_another_thread_is_not_mistaken_for_own_hold() {
    let mut moves = 0;
    for arguments in [
        "close --no-lock --beside",
        "close --no-lock --reentrant --beside",
        "close --reentrant --beside",
    ] {
        let case = Case {
            initial: Initial::Stale,
            arguments,
        };
        let step = by_length(3, 1);
        let numbers = (0..).step_by(step);
        let calls = numbers
            .take_while(|&number| move_away(case, number))
            .count();
        assert!(calls * step > 3, "{case:?}: too few system calls");
        moves += calls as u64;
    }
    Figures {
        holds: moves,
        ..Figures::survived(moves)
    }
    .record("files that go to another thread");
}

/// Moves the file to the path of the other thread after the call with this number, and stops the
/// first thread for longer than a start waits for a holder in another process. Returns `false` if
/// the start is over before that, or there is no file to move.
fn is_slow(case: Case, number: usize) -> bool {
    const TOO_SLOW: Duration = Duration::from_millis(150);
    let dir = tempfile::tempdir().expect("create a directory");
    let at = |name: &str| dir.path().join(name);
    let (path, other) = (at("app.pid"), at("app.other"));
    fs::write(&path, stale_record()).expect("write a stale file");
    let life = live(case, &path, number, after, |_| {
        let is_moved = fs::rename(&path, &other).is_ok();
        thread::sleep(TOO_SLOW);
        is_moved
    });
    let Some(mut life) = life else { return false };
    let second = life.run.stepper.line();
    let pid = life.run.stepper.pid();
    let known =
        format!("already locked by this process (PID {pid}): `reentrant` lets it acquire again");
    assert!(
        second == "second sound" || second.ends_with(&known),
        "{case:?}, after call {number}: {second}"
    );
    true
}

#[test]
fn slow_thread_of_same_process_is_reported_as_holder() {
    let case = Case {
        initial: Initial::Stale,
        arguments: "close --beside",
    };
    let calls = (0..).take_while(|&number| is_slow(case, number)).count();
    assert!(calls > 5, "too few system calls");
}

/// After the call with this number, lets the other thread release the file, which that thread holds
/// without a lock. Returns `true` if the start then acquires the file; `None` if the start is over
/// before that call.
fn give_back(case: Case, number: usize) -> Option<bool> {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut life = live(case, &path, number, after, |run| {
        fs::write(path.with_extension("other"), "").expect("create the file");
        wait_for_other_thread(run.stepper.pid());
        true
    })?;
    let second = life.run.stepper.line();
    assert_eq!(second, "second sound", "{case:?}, after call {number}");
    Some(life.was_inside(case, number))
}

#[test]
fn start_after_lockless_hold_of_other_thread_gets_file() {
    let mut figures = Figures::default();
    for arguments in ["close --leaving", "close --reentrant --leaving"] {
        let case = Case {
            initial: Initial::Held,
            arguments,
        };
        figures += sum(case, (0..).map_while(|number| give_back(case, number)));
    }
    figures.record("lockless holds that another thread gives back");
    println!("{figures}");
}
