//! Many hand-overs beside many other starts.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use pidlock_core::{PidFile, Status};
use pidlock_tests::length::by_length;
use rustix::fs::{FlockOperation, flock};

use super::{Place, line};

/// The lock is probed by a separate descriptor. The record is read until two reads agree, because one
/// can see two records mixed.
fn assert_held(path: &std::path::Path) {
    let file = File::open(path).expect("the file exists");
    let free = flock(&file, FlockOperation::NonBlockingLockShared);
    assert!(free.is_err(), "the lock was free");
    let read = || fs::read_to_string(path).expect("the file exists");
    let (mut once, mut again) = (read(), read());
    while once != again {
        (once, again) = (again, read());
    }
    let pid = once.trim_end().parse::<u32>();
    assert!(pid.is_ok_and(|pid| pid > 0), "the record was {once:?}");
}

#[test]
fn no_other_start_acquires_the_file_during_hand_overs_beside_a_storm() {
    let count = by_length(60, 300);
    let place = Place::new();
    let steps = ["spawn", "exec", "spawn"].iter().cycle().take(count);
    let steps: Vec<&str> = steps.copied().collect();
    let mut program = place.start(&steps.join(" "));
    assert_eq!(line(&mut program).1, "held");
    let (is_over, starts) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let error = PidFile::at(&place.path).acquire().expect_err("it is held");
                    assert!(error.is_contention(), "{error}");
                    starts.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                assert_held(&place.path);
                let status = PidFile::at(&place.path).status().expect("status");
                assert!(matches!(status, Status::Locked { .. }), "{status:?}");
            }
        });
        let (mut held, mut handed_over, mut holder) = (0, 0, 0);
        // Each step makes the program print "held". A spawn prints "handed over to", too; after an
        // exec, the predecessor's program is gone.
        let spawns = steps.iter().filter(|&&step| step == "spawn").count();
        while held < count || handed_over < spawns {
            let (pid, what) = line(&mut program);
            match what.as_str() {
                "held" => (held, holder) = (held + 1, pid),
                _ if what.starts_with("handed over to ") => handed_over += 1,
                _ => panic!("unexpected: {what}"),
            }
        }
        is_over.store(true, Ordering::SeqCst);
        place.assert_holder(holder);
    });
    println!("{count} hand-overs, {} starts", starts.into_inner());
    let (_, rest) = program.finish();
    assert!(rest.trim_end().ends_with("closed"), "{rest}");
    assert!(!place.path.exists());
}
