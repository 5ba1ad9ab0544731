//! Many waiters of one file: never two at once, and all are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pidlock_core::PidGuard;
use pidlock_tests::length::by_length;
use pidlock_tests::{Program, only_holder, tally::Figures};
use rustix::fs::{FlockOperation, flock};

use crate::{LONG, Place, WAYS, waiter};

/// Holds for a millisecond, alone.
fn hold(guard: PidGuard, place: &Place, served: &AtomicU32) {
    let oracle = only_holder(&place.oracle());
    thread::sleep(Duration::from_millis(1));
    guard.verify().expect("verify");
    // Explicitly: a child that another test has just forked would keep the lock.
    flock(&oracle, FlockOperation::Unlock).expect("unlock the oracle");
    guard.close().expect("release");
    served.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn two_hundred_waiters_are_served_one_at_a_time() {
    let kind = by_length(10, 50);
    let place = Arc::new(Place::new());
    let served = Arc::new(AtomicU32::new(0));
    let first = place.held();
    let path = place.path();
    let mut programs: Vec<Program> = (0..2 * kind)
        .map(|n| {
            let oracle = place.oracle();
            let oracle = oracle.to_str().expect("UTF-8");
            waiter(
                &[WAYS[n % 2], &["--hold", "1", "--oracle", oracle]].concat(),
                &path,
            )
        })
        .collect();
    let file = place.file().timeout(3 * LONG);
    let threads: Vec<_> = (0..kind)
        .map(|_| {
            let (file, place, served) = (file.clone(), place.clone(), served.clone());
            thread::spawn(move || hold(file.acquire().expect("acquire"), &place, &served))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("build a runtime");
    drop(first);
    runtime.block_on(async {
        let tasks: Vec<_> = (0..kind)
            .map(|_| {
                let (acquire, place, served) =
                    (file.acquire_async(), place.clone(), served.clone());
                tokio::spawn(async move { hold(acquire.await.expect("acquire"), &place, &served) })
            })
            .collect();
        for task in tasks {
            task.await.expect("the task does not panic");
        }
    });
    for thread in threads {
        thread.join().expect("the thread does not panic");
    }
    for program in &mut programs {
        let (status, output) = program.finish();
        assert!(
            status.success() && output.ends_with("held\n"),
            "{status}: {output}"
        );
    }
    assert_eq!(served.load(Ordering::Relaxed), 2 * kind as u32);
    assert!(!path.exists());
    Figures {
        holds: 4 * kind as u64,
        ..Figures::default()
    }
    .record("waiters");
}
