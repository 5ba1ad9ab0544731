//! How long a start waits, and what it says about that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pidlock_core::PidFileError;

use crate::{Place, WAYS, waiter_for};

#[test]
fn timeout_refuses_and_says_how_long_the_start_has_waited() {
    let place = Place::new();
    let mut holder = place.holder(&[]);
    let began = Instant::now();
    let error = place.file().timeout(Duration::from_millis(300)).acquire();
    let elapsed = began.elapsed();
    let error = error.expect_err("the file is held");
    let PidFileError::AlreadyLocked {
        pid,
        waited: Some(waited),
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(pid, Some(holder.pid()));
    assert!(
        Duration::from_millis(300) <= waited && waited <= elapsed,
        "{waited:?}"
    );
    let message = format!("already locked by PID {} after waiting for", holder.pid());
    assert!(error.to_string().contains(&message), "{error}");
    for way in WAYS {
        let options = [way, &["--timeout", "100"]].concat();
        let mut waiter = waiter_for(holder.pid(), &options, &place.path());
        let refused = waiter.line();
        assert!(
            refused.starts_with("refused") && refused.contains(&message),
            "{refused}"
        );
        assert_eq!(waiter.wait().code(), Some(3));
    }
    assert!(holder.finish().0.success());
}

/// A start that waits looks after 100 ms for the first time. The shortest of ten waits counts, because
/// the machine may be busy.
#[test]
fn timeout_ends_a_sleep() {
    let place = Place::new();
    let _guard = place.held();
    let file = place.file().timeout(Duration::from_millis(20));
    let is_short = |_| {
        let began = Instant::now();
        file.acquire().expect_err("the file is held");
        began.elapsed() < Duration::from_millis(80)
    };
    assert!((0..10).any(is_short), "no wait has ended before the tick");
}

#[test]
fn timeout_is_obeyed_for_a_holder_that_does_not_lock() {
    let place = Place::new();
    let holder = place.holder(&["--no-lock"]);
    for lock in [true, false] {
        let file = place.file().lock(lock).timeout(Duration::from_millis(100));
        let error = file.acquire().expect_err("the file is held");
        let PidFileError::AlreadyRunning {
            pid,
            waited: Some(waited),
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(pid, holder.pid());
        assert!(waited >= Duration::from_millis(100), "{waited:?}");
    }
}

#[test]
fn start_that_does_not_wait_does_not_say_that_it_has_waited() {
    let place = Place::new();
    let _guard = place.held();
    for file in [
        place.file().timeout(None),
        place.file().wait(false),
        place.file().wait(true).timeout(None),
    ] {
        let error = file.acquire().expect_err("the file is held");
        assert!(
            matches!(error, PidFileError::AlreadyLocked { waited: None, .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("wait"), "{error}");
    }
}

#[test]
fn last_of_timeout_and_wait_counts() {
    let place = Place::new();
    let _guard = place.held();
    let file = place.file().wait(true).timeout(Duration::from_millis(1));
    let error = file.acquire().expect_err("the file is held");
    assert!(matches!(
        error,
        PidFileError::AlreadyLocked {
            waited: Some(_),
            ..
        }
    ));
}

/// Only a holder is waited for.
#[test]
fn other_errors_are_returned_at_once() {
    let place = Place::new();
    std::fs::write(place.path(), "notes").expect("write a document");
    let error = place.file().wait(true).acquire().expect_err("a document");
    assert!(matches!(error, PidFileError::Unreadable { .. }), "{error}");
}

#[test]
fn on_wait_is_called_once_with_the_refusal() {
    let place = Place::new();
    let holder = place.holder(&[]);
    let calls = Arc::new(AtomicU32::new(0));
    let (count, pid, path) = (calls.clone(), holder.pid(), place.path());
    let file = place.file().timeout(Duration::from_millis(300));
    let file = file.on_wait(move |refusal| {
        count.fetch_add(1, Ordering::Relaxed);
        assert_eq!(refusal.pid(), Some(pid));
        assert_eq!(refusal.path(), Some(&*path));
        assert!(matches!(
            refusal,
            PidFileError::AlreadyLocked { waited: None, .. }
        ));
    });
    file.acquire().expect_err("the file is held");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    file.clone()
        .timeout(None)
        .acquire()
        .expect_err("the file is held");
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "a start that does not wait"
    );
    drop(holder);
    drop(file.acquire().expect("the file is free"));
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "a start that need not wait"
    );
}
