//! The attribute, had from another crate: there is no `pidlock_core` here.

use std::path::Path;

use pidlock_facade::locks::on_error::skip;
use pidlock_facade::locks::{PidFile, PidFileError};
use pidlock_facade::one_instance;

fn held(path: &Path) -> bool {
    PidFile::at(path)
        .acquire()
        .is_err_and(|error| error.is_contention())
}

/// By the path of the library.
#[one_instance(path = path, crate = pidlock_facade::locks)]
pub fn by_path(path: &Path) -> Result<bool, PidFileError> {
    Ok(held(path))
}

/// With text to format, and `on_error`.
#[one_instance("shape-{id}", dir = dir, on_error = skip, crate = ::pidlock_facade::locks)]
pub fn formatted(dir: &Path, id: u8) -> bool {
    held(&dir.join(format!("shape-{id}.pid")))
}

/// As a future.
#[one_instance(path = path, crate = pidlock_facade::locks)]
pub async fn future(path: &Path) -> Result<bool, PidFileError> {
    std::future::ready(()).await;
    Ok(held(path))
}

pidlock_facade::one_instance_at! { path;
    /// By the library's macro.
    pub fn by_macro(path: &Path) -> Result<bool, PidFileError> {
        Ok(held(path))
    }
}

/// With a `self` of its own.
#[derive(Debug)]
pub struct Owner<'a>(pub &'a Path);

impl Owner<'_> {
    /// By value.
    #[one_instance(path = self.0, crate = pidlock_facade::locks)]
    pub fn by_value(self) -> Result<bool, PidFileError> {
        Ok(held(self.0))
    }

    /// By value, as a future.
    #[one_instance(path = self.0, crate = pidlock_facade::locks)]
    pub async fn future(self) -> Result<bool, PidFileError> {
        std::future::ready(()).await;
        Ok(held(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        match Box::pin(future)
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("it waits for nothing"),
        }
    }

    #[test]
    fn the_functions_run_under_the_lock_and_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("shape-7.pid");
        let all = || {
            [
                by_path(path),
                by_macro(path),
                block_on(future(path)),
                Owner(path).by_value(),
                block_on(Owner(path).future()),
            ]
        };
        assert!(formatted(dir.path(), 7));
        assert!(all().into_iter().all(Result::unwrap));
        assert!(!path.exists());

        let _held = PidFile::at(path).acquire().unwrap();
        assert!(!formatted(dir.path(), 7));
        assert!(
            all()
                .into_iter()
                .all(|result| result.unwrap_err().is_contention())
        );
    }
}
