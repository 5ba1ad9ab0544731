//! Starts that collide. Each start is a process of its own, because a loop inside a long-lived
//! process hides the race between a start and the release before it.

mod arena;
mod mixed;
mod places;
mod third_party;

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_tests::Program;
use pidlock_tests::length::{PATIENCE, by_length};
use rustix::fs::{FlockOperation, flock};

use arena::{Arena, Tally};

/// Runs one contender after the other in each of `slots` threads, until `time` has passed or
/// `enough` returns `true`. If `beside` is given, the contenders of every other thread have that
/// protocol.
fn churn(
    arena: &Arena,
    beside: Option<&'static str>,
    slots: u32,
    crash: bool,
    time: Duration,
    enough: fn(&Tally) -> bool,
) -> Tally {
    let end = Instant::now() + time;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let slots: Vec<_> = (0..slots)
            .map(|slot| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    let mut n = slot;
                    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                        n += 1;
                        // Hold times that do not stay in step with those of another slot.
                        let hold = match n % 5 {
                            0 if crash => "crash".to_owned(),
                            _ => (n * 37 % (100 + 61 * slot)).to_string(),
                        };
                        let how = beside.filter(|_| slot % 2 == 1).unwrap_or(arena.how);
                        let mut command = arena.contender_that(how, Path::new("-"), &hold);
                        tally.count(command.status().expect("start a contender"));
                        if enough(&tally) {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    tally
                })
            })
            .collect();
        slots
            .into_iter()
            .map(|slot| slot.join().expect("no slot panics"))
            .fold(Tally::default(), |sum, tally| sum.add(&tally))
    })
}

fn assert_one_holder_at_a_time(how: &'static str, crash: bool, time: Duration) {
    assert_one_holder_beside(None, how, crash, time);
}

fn assert_one_holder_beside(
    beside: Option<&'static str>,
    how: &'static str,
    crash: bool,
    time: Duration,
) {
    let arena = Arena::new(how, false);
    let begin = Instant::now();
    let mut tally = churn(&arena, beside, 8, crash, time, |_| false);
    // On a busy machine, one run can be too short for the outcomes that are asserted below.
    let too_few =
        |tally: &Tally| tally.inside <= 50 || tally.refused == 0 || crash && tally.crashed == 0;
    while too_few(&tally) && begin.elapsed() < PATIENCE {
        tally = tally.add(&churn(&arena, beside, 8, crash, time, |_| false));
    }
    println!("{how}, crash {crash}: {tally:?}");
    assert_eq!(tally.violations(), 0, "{how}: {tally:?}");
    assert!(tally.inside > 50, "{how}: too few holders: {tally:?}");
    assert!(tally.refused > 0, "{how}: no start was refused: {tally:?}");
    assert_eq!(tally.crashed > 0, crash, "{how}: {tally:?}");
    arena.assert_free_afterwards();
}

fn long() -> Duration {
    Duration::from_secs(by_length(1, 10))
}

#[test]
fn eight_contenders_never_hold_at_once() {
    assert_one_holder_at_a_time("locked", false, long());
}

#[test]
fn eight_crashing_contenders_never_hold_at_once() {
    assert_one_holder_at_a_time("locked", true, long());
}

#[test]
fn eight_crashing_contenders_that_keep_the_file_never_hold_at_once() {
    assert_one_holder_at_a_time("kept", true, long());
}

#[test]
fn eight_lockless_contenders_never_hold_at_once() {
    assert_one_holder_at_a_time("unlocked", false, long());
}

#[test]
fn eight_crashing_lockless_contenders_never_hold_at_once() {
    assert_one_holder_at_a_time("unlocked", true, long());
}

/// An early unlocker unlocks the file, removes it a moment later and exits. A start must check the
/// path after it has found that the early unlocker is gone. Otherwise it can hold a removed file.
#[test]
fn contenders_beside_early_unlockers_never_hold_at_once() {
    assert_one_holder_beside(Some("early"), "locked", false, long());
}

/// Checks that a storm can find two holders: its contenders do not check the path after they have
/// locked the file.
#[test]
fn contenders_without_path_check_hold_at_once() {
    let arena = Arena::new("naive", false);
    let tally = churn(&arena, None, 8, false, 60 * long(), |tally| {
        tally.not_alone > 0
    });
    println!("naive: {tally:?}");
    assert!(tally.not_alone > 0, "{tally:?}");
}

/// Lets `n` contenders start at once. The one that acquires the file holds it until all others have
/// been refused.
fn barrier(arena: &Arena, n: usize) {
    let (gate, exit) = (arena.path("gate"), arena.path("exit"));
    let closed = |path: &Path| {
        let file = File::create(path).expect("create a gate");
        flock(&file, FlockOperation::LockExclusive).expect("close the gate");
        file
    };
    let (closed_gate, closed_exit) = (closed(&gate), closed(&exit));
    let mut contenders: Vec<_> = (0..n)
        .map(|_| Program::start(&mut arena.contender(&gate, exit.to_str().expect("UTF-8"))))
        .collect();
    for contender in &mut contenders {
        contender.expect("ready");
    }
    drop(closed_gate);
    // Each contender prints `inside`, or exits without another line.
    let inside: Vec<_> = contenders
        .iter_mut()
        .map(|contender| contender.line())
        .collect();
    drop(closed_exit);
    let mut tally = Tally::default();
    for contender in &mut contenders {
        tally.count(contender.wait());
    }
    assert_eq!(
        inside.iter().filter(|line| *line == "inside").count(),
        1,
        "{tally:?}"
    );
    assert_eq!((tally.inside, tally.violations()), (1, 0), "{tally:?}");
    assert_eq!(tally.refused as usize, n - 1, "{tally:?}");
    arena.assert_free_afterwards();
}

#[test]
fn of_128_simultaneous_starts_one_succeeds() {
    barrier(&Arena::new("locked", false), 128);
}

#[test]
fn of_128_simultaneous_starts_over_a_stale_file_one_succeeds() {
    barrier(&Arena::new("locked", true), 128);
}

#[test]
fn of_128_simultaneous_lockless_starts_one_succeeds() {
    barrier(&Arena::new("unlocked", false), 128);
}

#[test]
fn of_128_simultaneous_lockless_starts_over_a_stale_file_one_succeeds() {
    barrier(&Arena::new("unlocked", true), 128);
}

/// Each holder crashes at once, so several contenders can hold the file one after the other.
#[test]
fn of_128_simultaneous_starts_that_crash_no_two_hold_at_once() {
    for how in ["locked", "unlocked"] {
        let arena = Arena::new(how, true);
        let gate = arena.path("gate");
        let closed = File::create(&gate).expect("create a gate");
        flock(&closed, FlockOperation::LockExclusive).expect("close the gate");
        let mut contenders: Vec<_> = (0..128)
            .map(|_| Program::start(arena.contender(&gate, "crash").stderr(Stdio::inherit())))
            .collect();
        for contender in &mut contenders {
            contender.expect("ready");
        }
        drop(closed);
        let mut tally = Tally::default();
        for contender in &mut contenders {
            tally.count(contender.wait());
        }
        assert_eq!(tally.violations(), 0, "{how}: {tally:?}");
        assert!(tally.crashed > 0, "{how}: {tally:?}");
        arena.assert_free_afterwards();
    }
}
