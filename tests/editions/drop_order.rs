//! An annotated function drops everything before it releases the lock, and in the same order as
//! without the attribute. The rules for temporaries depend on the edition, so a crate of each
//! edition includes this file.

mod tails;

use std::cell::RefCell;
use std::future::Future;
use std::panic;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pidlock_core::{PidFile, PidFileError};

thread_local! {
    static PATH: RefCell<PathBuf> = RefCell::default();
    static DROPPED: RefCell<Vec<(&'static str, bool)>> = RefCell::default();
}

fn path() -> PathBuf {
    PATH.with(|path| path.borrow().clone())
}

fn held() -> bool {
    match PidFile::at(path()).acquire() {
        Ok(_) => false,
        Err(error) => {
            assert!(error.is_contention(), "{}", error);
            true
        }
    }
}

/// When dropped, records its name and whether the lock is held.
struct Probe(&'static str);

impl Probe {
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let held = held();
        DROPPED.with(|dropped| dropped.borrow_mut().push((self.0, held)));
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Leave {
    End,
    Return,
    QuestionMark,
    Panic,
}

const WAYS: [Leave; 4] = [Leave::End, Leave::Return, Leave::QuestionMark, Leave::Panic];

#[derive(Debug)]
struct Failure;

impl From<PidFileError> for Failure {
    fn from(error: PidFileError) -> Self {
        panic!("{}", error);
    }
}

impl Leave {
    fn check(self) -> Result<(), Failure> {
        match self {
            Leave::QuestionMark => Err(Failure),
            Leave::Panic => panic!("requested by the test"),
            _ => Ok(()),
        }
    }
}

/// A future that is pending at its first poll, so that a test can cancel the future that awaits it.
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

struct Pair(Probe, #[allow(dead_code)] Probe);

struct Owner {
    first: Probe,
    _second: Probe,
}

impl Owner {
    fn new() -> Self {
        Owner {
            first: Probe("self.first"),
            _second: Probe("self.second"),
        }
    }
}

/// Defines the functions, with or without the attribute.
macro_rules! functions {
    ($trait_name:ident $(#[$guard:meta])*) => {
        $(#[$guard])*
        pub(super) fn free(
            leave: Leave,
            a: Probe,
            (b, _): (Probe, Probe),
            _: Probe,
            _unused: Probe,
            Pair(ref c, _): Pair,
            mut d: Probe,
        ) -> Result<usize, Failure> {
            let _local = Probe("local");
            d.0 = "d, changed";
            leave.check()?;
            if leave == Leave::Return {
                return Ok(a.len() + Probe("temporary of return").len());
            }
            let _moved = b;
            match Probe("temporary of the tail").len() {
                0 => Err(Failure),
                n => Ok(n + c.len()),
            }
        }

        $(#[$guard])*
        pub(super) async fn free_async(
            leave: Leave,
            a: Probe,
            (b, _): (Probe, Probe),
            _: Probe,
            _unused: Probe,
            Pair(ref c, _): Pair,
            mut d: Probe,
        ) -> Result<usize, Failure> {
            let _local = Probe("local");
            d.0 = "d, changed";
            Pause(false).await;
            leave.check()?;
            if leave == Leave::Return {
                return Ok(a.len() + Probe("temporary of return").len());
            }
            let _moved = b;
            match Probe("temporary of the tail").len() {
                0 => Err(Failure),
                n => Ok(n + c.len()),
            }
        }

        pub(super) trait $trait_name: Sized {
            fn first(&self) -> &Probe;

            $(#[$guard])*
            fn owned(self, leave: Leave, a: Probe, (b, _): (Probe, Probe)) -> Result<usize, Failure> {
                let _local = Probe("local");
                leave.check()?;
                if leave == Leave::Return {
                    return Ok(b.len() + Probe("temporary of return").len());
                }
                Ok(Probe("temporary of the tail").len() + a.len() + self.first().len())
            }

            $(#[$guard])*
            fn unused(self, leave: Leave, _: Probe) -> Result<usize, Failure> {
                leave.check()?;
                Ok(Probe("temporary of the tail").len())
            }

            $(#[$guard])*
            fn boxed(self: Box<Self>, leave: Leave, a: Probe) -> Result<usize, Failure> {
                leave.check()?;
                Ok(Probe("temporary of the tail").len() + a.len() + self.first().len())
            }

            $(#[$guard])*
            fn shared(self: Arc<Self>, leave: Leave, a: Probe) -> Result<usize, Failure> {
                leave.check()?;
                Ok(Probe("temporary of the tail").len() + a.len() + self.first().len())
            }

            $(#[$guard])*
            fn borrowed(&self, leave: Leave, a: Probe) -> Result<usize, Failure> {
                leave.check()?;
                Ok(Probe("temporary of the tail").len() + a.len() + self.first().len())
            }
        }

        impl $trait_name for Owner {
            fn first(&self) -> &Probe {
                &self.first
            }
        }

        pub(super) struct Async(pub(super) Owner);

        impl Async {
            $(#[$guard])*
            pub(super) async fn owned(
                self,
                leave: Leave,
                a: Probe,
                (b, _): (Probe, Probe),
            ) -> Result<usize, Failure> {
                let _local = Probe("local");
                Pause(false).await;
                leave.check()?;
                if leave == Leave::Return {
                    return Ok(b.len() + Probe("temporary of return").len());
                }
                Ok(Probe("temporary of the tail").len() + a.len() + self.0.first.len())
            }

            $(#[$guard])*
            pub(super) async fn pinned(
                self: Pin<Box<Self>>,
                leave: Leave,
                a: Probe,
            ) -> Result<usize, Failure> {
                Pause(false).await;
                leave.check()?;
                Ok(Probe("temporary of the tail").len() + a.len() + self.0.first.len())
            }
        }
    };
}

mod bare {
    use super::*;
    functions!(Bare);
}

mod guarded {
    use super::*;
    functions!(Guarded #[pidlock_core::pidfile(path = path())]);
}

/// Polls a future up to `polls` times and drops it. A single poll tests a cancellation.
fn run<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return Some(result);
        }
    }
    None
}

fn dropped_by(run: impl FnOnce()) -> Vec<(&'static str, bool)> {
    DROPPED.with(|dropped| dropped.borrow_mut().clear());
    // `Leave::Panic` makes the function panic.
    let _ = panic::catch_unwind(panic::AssertUnwindSafe(run));
    assert!(!held(), "the lock is released");
    DROPPED.with(|dropped| dropped.borrow().clone())
}

fn compare(what: &str, leave: Leave, bare: impl FnOnce(), guarded: impl FnOnce()) {
    let expected: Vec<_> = dropped_by(bare).into_iter().map(|(name, _)| name).collect();
    assert!(!expected.is_empty(), "{} {:?}: {:?}", what, leave, expected);
    let found = dropped_by(guarded);
    let order: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(order, expected, "{} {:?}", what, leave);
    assert!(
        found.iter().all(|(_, held)| *held),
        "{} {:?}: {:?}",
        what,
        leave,
        found
    );
}

fn in_a_directory(test: impl FnOnce()) {
    let dir = tempfile::tempdir().unwrap();
    PATH.with(|path| *path.borrow_mut() = dir.path().join("drop.pid"));
    test();
}

fn pair(first: &'static str, second: &'static str) -> (Probe, Probe) {
    (Probe(first), Probe(second))
}

macro_rules! compare {
    ($what:literal, $leave:expr, |$module:ident| $call:expr) => {
        compare(
            $what,
            $leave,
            || {
                #[allow(unused_imports)]
                use bare::{self as $module, *};
                let _ = $call;
            },
            || {
                #[allow(unused_imports)]
                use guarded::{self as $module, *};
                let _ = $call;
            },
        );
    };
}

#[test]
fn functions_drop_everything_before_releasing_the_lock() {
    in_a_directory(|| {
        for leave in WAYS {
            compare!("free", leave, |m| m::free(
                leave,
                Probe("a"),
                pair("b", "b, not bound"),
                Probe("_"),
                Probe("_unused"),
                Pair(Probe("c"), Probe("c, not bound")),
                Probe("d"),
            ));
        }
    });
}

#[test]
fn methods_drop_everything_before_releasing_the_lock() {
    in_a_directory(|| {
        for leave in WAYS {
            compare!("owned", leave, |m| Owner::new().owned(
                leave,
                Probe("a"),
                pair("b", "_")
            ));
            compare!("unused", leave, |m| Owner::new().unused(leave, Probe("_")));
            compare!("boxed", leave, |m| Box::new(Owner::new())
                .boxed(leave, Probe("a")));
            compare!("shared", leave, |m| Arc::new(Owner::new())
                .shared(leave, Probe("a")));
        }
    });
}

#[test]
fn borrowed_self_is_not_dropped() {
    in_a_directory(|| {
        let owner = Owner::new();
        for leave in WAYS {
            compare!("borrowed", leave, |m| owner.borrowed(leave, Probe("a")));
        }
    });
}

#[test]
fn async_functions_drop_everything_before_releasing_the_lock() {
    in_a_directory(|| {
        // With one poll, the future is cancelled while it waits.
        for polls in 1..=2 {
            for leave in WAYS {
                compare!("free_async", leave, |m| run(
                    m::free_async(
                        leave,
                        Probe("a"),
                        pair("b", "b, not bound"),
                        Probe("_"),
                        Probe("_unused"),
                        Pair(Probe("c"), Probe("c, not bound")),
                        Probe("d"),
                    ),
                    polls,
                ));
                compare!("async owned", leave, |m| run(
                    m::Async(Owner::new()).owned(leave, Probe("a"), pair("b", "_")),
                    polls,
                ));
                compare!("async pinned", leave, |m| run(
                    Box::pin(m::Async(Owner::new())).pinned(leave, Probe("a")),
                    polls,
                ));
            }
        }
    });
}

#[test]
fn future_that_is_never_polled_never_locks() {
    in_a_directory(|| {
        let future =
            guarded::Async(Owner::new()).owned(Leave::End, Probe("a"), (Probe("b"), Probe("_")));
        assert!(!held());
        let dropped = dropped_by(|| drop(future));
        assert!(dropped.iter().all(|(_, held)| !held), "{:?}", dropped);
        assert!(!path().exists());
    });
}
