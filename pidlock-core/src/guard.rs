//! The guard: verify the pidfile, release it.

use std::fmt;
use std::path::Path;

use crate::cleanup::Handle;
use crate::error::PidFileError;
use crate::watch::{self, Watch};

/// An acquired pidfile. Dropping it removes the file and releases the lock.
///
/// The file is removed while it is still locked, so the file of a process that starts meanwhile is
/// never removed by mistake. If it cannot be removed, because the process has dropped its privileges
/// or changed its root directory, it is truncated, and the next start takes it over. A file that
/// replaced it is left alone.
///
/// In a child that the process forks, dropping the guard only closes the child's descriptor. If the
/// process drops its guard while a forked child still shares the lock, the file is truncated and
/// left to the child: other starts are refused until the child ends or calls `exec`.
///
/// Several guards of one file, see [`reentrant`](crate::PidFile::reentrant), release it when the last
/// one is dropped.
///
/// # Panics
///
/// Dropping never panics and ignores errors; use [`close`](Self::close) to see them.
///
/// # Platform-specific behavior
///
/// On Unix the lock is `flock(2)` on the open pidfile. The kernel releases it when the last process
/// that shares the open file has closed it, so a child that was forked without `exec` keeps the lock
/// if the process is killed. Programs started by [`std::process::Command`] do not inherit it. A child
/// made by a raw `clone(2)` is not noticed on release: the file is removed under it.
///
/// After a fork, dropping the guard blocks for up to 25 ms while a child shares the lock.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// let guard = PidFile::new("my_app_guard").temp_dir(true).acquire()?;
/// let path = guard.path().to_owned();
/// assert_eq!(std::fs::read_to_string(&path)?, format!("{}\n", std::process::id()));
/// drop(guard);
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "if unused, the pidfile is released at once: bind it, as in `let _guard = ...`"]
pub struct PidGuard {
    pub(crate) handle: Handle,
}

impl PidGuard {
    /// The pidfile's absolute path.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let guard = PidFile::new("my_app_guard_path").temp_dir(true).acquire()?;
    /// assert!(guard.path().ends_with("my_app_guard_path.pid"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.handle.path
    }

    /// The recorded PID: that of the process that acquired the file.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let guard = PidFile::new("my_app_guard_pid").temp_dir(true).acquire()?;
    /// assert_eq!(guard.pid(), std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.handle.owner.pid()
    }

    /// Checks that the path still refers to the file that this process locked, and that the file
    /// still contains its PID.
    ///
    /// An advisory lock cannot keep another process from deleting or replacing the file. Then another
    /// instance can start. [`watch`](Self::watch) tells a long-running process when that happens.
    ///
    /// # Errors
    ///
    /// - [`Replaced`](PidFileError::Replaced): the file was removed, replaced or moved.
    /// - [`Unreadable`](PidFileError::Unreadable): the PID in it was overwritten.
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): this is a forked child of the holder.
    /// - [`Io`](PidFileError::Io): the file could not be inspected, or another part of the program
    ///   closed its descriptor, which ended the lock.
    ///
    /// ```
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// let guard = PidFile::new("my_app_guard_verify").temp_dir(true).acquire()?;
    /// guard.verify()?;
    /// std::fs::rename(guard.path(), guard.path().with_extension("old"))?;
    /// assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
    /// # let old = guard.path().with_extension("old");
    /// # drop(guard);
    /// # std::fs::remove_file(old)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self) -> Result<(), PidFileError> {
        self.handle.verify()
    }

    /// Calls a function when the file is removed or replaced by another process, once: then another
    /// instance can start. A release by this process, or its end, is not reported.
    ///
    /// The function is called with [`Replaced`](PidFileError::Replaced), on a thread of this crate that
    /// all watches and pending [`acquire_async`](crate::PidFile::acquire_async) share. It should return
    /// soon, and must not wait for one of them. A child that the process forks watches nothing.
    ///
    /// # Errors
    ///
    /// - Those of [`verify`](Self::verify): the file has been replaced already.
    /// - [`Io`](PidFileError::Io): the thread could not be started.
    ///
    /// # Platform-specific behavior
    ///
    /// On Linux the kernel reports the change (`inotify(7)`). Elsewhere, and if the directory is moved or
    /// the user has too many inotify instances, it is noticed within a second.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// let guard = PidFile::new("my_app_guard_watch").temp_dir(true).acquire()?;
    /// let (sender, lost) = mpsc::channel();
    /// let _watch = guard.watch(move |error| sender.send(error).unwrap())?;
    /// std::fs::rename(guard.path(), guard.path().with_extension("old"))?;
    /// assert!(matches!(lost.recv()?, PidFileError::Replaced { .. }));
    /// # let old = guard.path().with_extension("old");
    /// # drop(guard);
    /// # std::fs::remove_file(old)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(
        &self,
        on_loss: impl FnOnce(PidFileError) + Send + 'static,
    ) -> Result<Watch, PidFileError> {
        watch::watch(&self.handle, Box::new(on_loss))
    }

    /// Releases the pidfile and reports errors.
    ///
    /// Nothing is removed, and the result is `Ok`, in three cases: another
    /// [`reentrant`](crate::PidFile::reentrant) guard exists; this is a forked child; or a child that this
    /// process forked goes on with the lock.
    ///
    /// # Errors
    ///
    /// Whatever the error, the lock is released and this guard's descriptor is closed.
    ///
    /// - [`Replaced`](PidFileError::Replaced): the path no longer refers to the file that was held.
    ///   What is there now is left alone.
    /// - [`Io`](PidFileError::Io): the file could neither be removed nor truncated; or another part
    ///   of the program has closed its descriptor, in which case nothing is touched.
    ///
    /// ```
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// let guard = PidFile::new("my_app_guard_close").temp_dir(true).acquire()?;
    /// std::fs::rename(guard.path(), guard.path().with_extension("old"))?;
    /// std::fs::write(guard.path(), "not ours")?;
    /// let path = guard.path().to_owned();
    /// assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
    /// assert_eq!(std::fs::read_to_string(&path)?, "not ours");
    /// std::fs::remove_file(&path)?;
    /// # std::fs::remove_file(path.with_extension("old"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(self) -> Result<(), PidFileError> {
        self.handle.close()
    }
}

impl fmt::Debug for PidGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PidGuard")
            .field("path", &self.path())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{RefUnwindSafe, UnwindSafe};

    #[test]
    fn guard_and_builder_are_send_sync_and_unwind_safe() {
        fn assert<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
        assert::<PidGuard>();
        assert::<crate::PidFile>();
    }
}
