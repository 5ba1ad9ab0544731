//! Starts that collide: one process for each attempt, because a loop inside long-lived processes
//! hides the race between a start and the end before it.

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
use rustix::fs::{FlockOperation, flock};

use arena::{Arena, Tally};

/// `slots` contenders at any time, new ones for as long as `time`, or until `enough` says so.
fn churn(
    arena: &Arena,
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
                        // Times that never fall into step with those of another slot.
                        let hold = match n % 5 {
                            0 if crash => "crash".to_owned(),
                            _ => (n * 37 % (100 + 61 * slot)).to_string(),
                        };
                        let mut command = arena.contender(Path::new("-"), &hold);
                        tally.count(command.status().expect("a contender starts"));
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
            .map(|slot| slot.join().expect("a slot ends"))
            .fold(Tally::default(), |sum, tally| sum.add(&tally))
    })
}

fn assert_whole(how: &'static str, crash: bool, time: Duration) {
    let arena = Arena::new(how, false);
    let tally = churn(&arena, 8, crash, time, |_| false);
    println!("{how}, crash {crash}: {tally:?}");
    assert_eq!(tally.violations(), 0, "{how}: {tally:?}");
    assert!(tally.inside > 50, "{how}: hardly anybody got in: {tally:?}");
    assert!(tally.refused > 0, "{how}: no two starts met: {tally:?}");
    assert_eq!(tally.crashed > 0, crash, "{how}: {tally:?}");
    arena.assert_free_afterwards();
}

const LONG: Duration = Duration::from_secs(10);

#[test]
fn eight_contenders_never_meet_inside() {
    assert_whole("locked", false, LONG);
}

#[test]
fn eight_contenders_that_crash_never_meet_inside() {
    assert_whole("locked", true, LONG);
}

#[test]
fn eight_contenders_that_keep_the_file_never_meet_inside() {
    assert_whole("kept", true, LONG);
}

#[test]
fn eight_contenders_without_locks_never_meet_inside() {
    assert_whole("unlocked", false, LONG);
}

#[test]
fn eight_contenders_without_locks_that_crash_never_meet_inside() {
    assert_whole("unlocked", true, LONG);
}

/// The same storm on the protocol without the second look: were it not to see two inside, the
/// tests above would prove nothing.
#[test]
fn the_storm_sees_what_the_second_look_prevents() {
    let arena = Arena::new("naive", false);
    let tally = churn(&arena, 8, false, 6 * LONG, |tally| tally.not_alone > 0);
    println!("naive: {tally:?}");
    assert!(tally.not_alone > 0, "{tally:?}");
}

/// Lets `n` contenders go at once, and the one that gets in stay until all others have ended.
fn barrier(arena: &Arena, n: usize) {
    let (gate, exit) = (arena.path("gate"), arena.path("exit"));
    let closed = |path: &Path| {
        let file = File::create(path).expect("a gate");
        flock(&file, FlockOperation::LockExclusive).expect("a closed gate");
        file
    };
    let (closed_gate, closed_exit) = (closed(&gate), closed(&exit));
    let mut contenders: Vec<_> = (0..n)
        .map(|_| Program::start(&mut arena.contender(&gate, exit.to_str().expect("a path"))))
        .collect();
    for contender in &mut contenders {
        contender.expect("ready");
    }
    drop(closed_gate);
    // Everybody says `inside` or nothing any more.
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
fn of_128_that_start_at_once_one_gets_in() {
    barrier(&Arena::new("locked", false), 128);
}

#[test]
fn of_128_that_start_at_once_over_a_stale_file_one_gets_in() {
    barrier(&Arena::new("locked", true), 128);
}

#[test]
fn of_128_that_start_at_once_without_locks_one_gets_in() {
    barrier(&Arena::new("unlocked", false), 128);
}

#[test]
fn of_128_that_start_at_once_without_locks_over_a_stale_file_one_gets_in() {
    barrier(&Arena::new("unlocked", true), 128);
}

/// All crash as soon as they are in, so several may have been in, one after the other.
#[test]
fn of_128_that_start_at_once_and_crash_inside_no_two_meet() {
    for how in ["locked", "unlocked"] {
        let arena = Arena::new(how, true);
        let gate = arena.path("gate");
        let closed = File::create(&gate).expect("a gate");
        flock(&closed, FlockOperation::LockExclusive).expect("a closed gate");
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
