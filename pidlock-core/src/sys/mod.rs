//! The operating system, behind the same function names on every platform.
//!
//! Only this module and `cleanup` use `unsafe`, and nothing in here knows the protocol.

use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(not(any(
    windows,
    target_vendor = "apple",
    target_os = "android",
    target_os = "freebsd",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
)))]
compile_error!(
    "pidlock-core runs on Linux, Android, macOS, FreeBSD, NetBSD, OpenBSD and Windows; to add a \
     system, see CONTRIBUTING.md"
);

mod atomic_ref;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod not_linux;
mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use atomic_ref::AtomicRef;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use not_linux::*;
pub(crate) use types::*;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// The result of a call, or `None` if the file that it is about was removed. Network and FUSE file
/// systems report that even for an open file.
pub(crate) fn unless_removed<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_removed(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the path refers to this file. Async-signal-safe.
pub(crate) fn path_refers_to(path: &AbsPath, id: FileId) -> io::Result<bool> {
    Ok(unless_removed(id_at(path))? == Some(id))
}

/// Returns `true` if the exclusive lock is held. Takes a shared lock for a moment, and unlocks explicitly:
/// a child that another thread has just forked would keep the lock.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    match try_lock_shared(file)? {
        true => unlock(file).map(|()| false),
        false => Ok(true),
    }
}

impl<T: Default + Send> PerProcess<Mutex<T>> {
    /// The value of `owner`, which must be the calling process, locked. A poisoned one is used all
    /// the same: no code of the program runs under the lock.
    pub(crate) fn lock(&'static self, owner: ProcessInstance) -> MutexGuard<'static, T> {
        let mutex = self.get(owner, Mutex::default);
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_does_not_open_what_is_there() {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = AbsPath::resolve(&dir.path().join("app.pid")).expect("resolve");
        create(&path, 0o644).expect("create");
        let error = create(&path, 0o644).expect_err("the file is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn lock_excludes_others_until_it_is_released() {
        let file = tempfile::NamedTempFile::new().expect("create a file");
        let other = file.reopen().expect("open it again");
        let file = file.as_file();
        assert!(try_lock_exclusive(file).expect("lock"));
        assert!(is_locked(&other).expect("probe"));
        assert!(!try_lock_exclusive(&other).expect("try to lock"));
        unlock(file).expect("unlock");
        assert!(!is_locked(&other).expect("probe"));
        assert!(try_lock_exclusive(file).expect("the probe left no lock"));
        unlock(file).expect("unlock");
        assert!(try_lock_shared(&other).expect("lock"));
        assert!(!try_lock_exclusive(file).expect("try to lock"));
        assert!(try_lock_shared(file).expect("locks are shared"));
    }
}
