//! The fix that the error about futures suggests, and futures that the macro does not detect.

use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use async_trait::async_trait;
use pidlock_core::{PidFileError, pidfile};

#[async_trait]
trait Worker {
    async fn work(&self) -> Result<bool, PidFileError>;
}

struct Me(PathBuf);

#[async_trait]
impl Worker for Me {
    async fn work(&self) -> Result<bool, PidFileError> {
        work(&self.0).await
    }
}

#[pidfile(path = path)]
async fn work(path: &Path) -> Result<bool, PidFileError> {
    tokio::task::yield_now().await;
    Ok(path.exists())
}

/// The macro does not see through this alias. So it accepts a function that returns the alias, and
/// the lock is held only while the function creates the future.
type Later<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

#[pidfile(path = path, on_error = |error| panic!("{error}"))]
fn alias(path: &Path) -> Later<'_> {
    assert!(path.exists());
    Box::pin(async { path.exists() })
}

/// Holds the lock until this `async fn` completes, but not while the returned future runs.
#[pidfile(path = path, on_error = |error| panic!("{error}"))]
async fn future_of_a_future(path: &Path) -> impl Future<Output = bool> + use<> {
    ready(path.exists())
}

#[derive(Debug)]
struct FutureError;

impl From<PidFileError> for FutureError {
    fn from(_: PidFileError) -> Self {
        FutureError
    }
}

/// The name of the error type only starts with `Future`.
#[pidfile(path = path)]
fn error_of_futures(path: &Path) -> Result<bool, FutureError> {
    Ok(path.exists())
}

/// What a future returns is not a future.
#[pidfile(path = path)]
fn output<F: Future>(path: &Path, outputs: Vec<F::Output>) -> Result<Vec<F::Output>, PidFileError> {
    Ok(outputs)
}

/// A returned closure is not a future, even if it returns one when it is called.
#[pidfile(path = path)]
fn factory(path: &Path) -> Result<Box<dyn Fn() -> Later<'static>>, PidFileError> {
    let exists = path.exists();
    Ok(Box::new(move || Box::pin(ready(exists))))
}

#[tokio::test]
async fn lock_is_held_while_the_annotated_function_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    assert!(!alias(&path).await);
    assert!(error_of_futures(&path).unwrap());
    assert_eq!(output::<Later<'_>>(&path, vec![true]).unwrap(), [true]);
    assert!(factory(&path).unwrap()().await);
    assert!(future_of_a_future(&path).await.await);
    assert!(Me(path).work().await.unwrap());
}
