//! Uses the attribute where its crate is renamed and `pidlock_core` is another module.

use std::path::Path;

use locker::{PidFile, PidFileError, pidfile};

/// The attribute must not refer to this module.
pub mod pidlock_core {}

/// With a format string.
#[pidfile(name = "renamed-{id}", dir = dir, crate = locker)]
pub fn formatted(dir: &Path, id: u8) -> Result<bool, PidFileError> {
    Ok(held(&dir.join(format!("renamed-{id}.pid"))))
}

/// With `on_error`.
#[pidfile(path = path, on_error = locker::on_error::skip, crate = ::locker)]
pub fn skipped(path: &Path) -> bool {
    held(path)
}

fn held(path: &Path) -> bool {
    PidFile::at(path)
        .acquire()
        .is_err_and(|error| error.is_contention())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_run_under_the_lock_and_are_refused_when_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("renamed-7.pid");
        assert!(formatted(dir.path(), 7).unwrap());
        assert!(skipped(path));
        let _held = PidFile::at(path).acquire().unwrap();
        assert!(formatted(dir.path(), 7).unwrap_err().is_contention());
        assert!(!skipped(path));
    }
}
