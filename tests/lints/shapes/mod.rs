//! Annotated functions of every shape, in which no lint fires.
//!
//! Most return whether the lock is held while they run, so that the tests check more than that they
//! compile.

pub mod below;
pub mod expected;
pub mod functions;
pub mod futures;
pub mod made;
pub mod methods;
pub mod parameters;
pub mod restricted;
pub mod traits;

use std::path::Path;

use pidlock_core::{PidFile, PidFileError};

/// Whether the lock is held during the call, or the error if the call is refused.
pub type Held = Result<bool, PidFileError>;

fn held(path: &Path) -> bool {
    PidFile::at(path)
        .acquire()
        .is_err_and(|error| error.is_contention())
}

fn check(path: &Path) {
    assert!(held(path), "the lock is held while the function runs");
}

// `Future` is in the prelude of edition 2024 only.
#[allow(unused_qualifications)]
#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::task::{Context, Poll, Waker};

    /// Runs a test with a path to lock, and checks that the test leaves no file there.
    pub(super) fn at_a_path(test: impl FnOnce(&Path)) {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("shape.pid");
        test(&path);
        assert!(!path.exists(), "the pidfile is removed");
    }

    /// Polls a future until it completes.
    pub(super) fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        loop {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return result;
            }
        }
    }
}
