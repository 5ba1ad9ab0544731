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

#[tokio::test]
async fn lock_is_held_while_the_annotated_function_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    assert!(!alias(&path).await);
    assert!(future_of_a_future(&path).await.await);
    assert!(Me(path).work().await.unwrap());
}
