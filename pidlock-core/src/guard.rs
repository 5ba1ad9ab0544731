//! Holding a pidfile, verifying it, giving it back.

use std::fmt;
use std::path::Path;

use crate::cleanup::Share;
use crate::error::PidFileError;

/// A pidfile that this process holds. Dropping the guard removes the file and releases the lock.
///
/// The file is removed while it is still locked, so that the removal cannot hit the file of a
/// process that started in between. In a child that the holder forks, dropping the guard only
/// closes the child's copy of the descriptor: the pidfile stays its parent's.
///
/// Where the file cannot be removed, because the process gave up the right to or changed its root
/// directory, it is emptied; the next start takes it over. A file that somebody else put in its
/// place is left alone.
///
/// Guards handed out by [`reentrant`](crate::PidFile::reentrant) share one hold; the last of them
/// to go releases it.
///
/// # Panics
///
/// Dropping never panics, and reports nothing; who wants to know calls [`close`](Self::close).
///
/// # Platform-specific behavior
///
/// On Unix the lock is `flock(2)` on the open pidfile. The kernel releases it when the last
/// process that shares the open file is gone, so a child that was forked without `exec` keeps the
/// lock while it lives, should the holder be killed. Programs started by
/// [`std::process::Command`] do not inherit it.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("app.pid");
/// let guard = PidFile::at(&path).acquire()?;
/// assert_eq!(std::fs::read_to_string(&path)?, format!("{}\n", std::process::id()));
/// drop(guard);
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "if unused, the pidfile is released at once: bind it, as in `let _guard = ...`"]
pub struct PidGuard {
    hold: Share,
}

impl PidGuard {
    pub(crate) fn new(hold: Share) -> Self {
        Self { hold }
    }

    /// The pidfile's absolute path.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).acquire()?;
    /// assert_eq!(guard.path(), dir.path().join("app.pid"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        self.hold.path()
    }

    /// The PID that the file names: the process that acquired it.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).acquire()?;
    /// assert_eq!(guard.pid(), std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.hold.owner().pid()
    }

    /// Checks that the path still names the file that this process locked, and the file this
    /// process.
    ///
    /// No advisory lock can prevent that somebody with the right to it deletes or replaces the
    /// file; another instance can start then. A long-running holder can ask now and again.
    ///
    /// # Errors
    ///
    /// - [`Replaced`](PidFileError::Replaced): the file was removed, replaced or moved.
    /// - [`Unreadable`](PidFileError::Unreadable): somebody overwrote the PID in it.
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): this is a forked child of the holder.
    /// - [`Io`](PidFileError::Io): the file could not be looked at, or another part of the program
    ///   closed its descriptor, which ended the lock.
    ///
    /// ```
    /// # use pidlock_core::{PidFile, PidFileError};
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).acquire()?;
    /// guard.verify()?;
    /// std::fs::remove_file(guard.path())?;
    /// assert!(matches!(guard.verify(), Err(PidFileError::Replaced { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self) -> Result<(), PidFileError> {
        self.hold.verify()
    }

    /// Does what dropping does, and says how it went.
    ///
    /// For one of several [`reentrant`](crate::PidFile::reentrant) guards that is not the last,
    /// and in a forked child of the holder, there is nothing to give back, and the answer is `Ok`.
    ///
    /// # Errors
    ///
    /// Whatever the error, the lock is released and this guard's descriptor is closed.
    ///
    /// - [`Replaced`](PidFileError::Replaced): the path no longer names the file that was held.
    ///   What is there now was left alone.
    /// - [`Io`](PidFileError::Io): the file could neither be removed nor emptied, or another part
    ///   of the program had closed its descriptor, in which case nothing was touched.
    ///
    /// ```
    /// # use pidlock_core::{PidFile, PidFileError};
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).acquire()?;
    /// std::fs::remove_file(guard.path())?;
    /// std::fs::write(guard.path(), "not ours")?;
    /// let path = guard.path().to_owned();
    /// assert!(matches!(guard.close(), Err(PidFileError::Replaced { .. })));
    /// assert_eq!(std::fs::read_to_string(path)?, "not ours");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(self) -> Result<(), PidFileError> {
        self.hold.close()
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
    fn a_guard_can_go_wherever_the_program_does() {
        fn goes<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
        goes::<PidGuard>();
        goes::<crate::PidFile>();
    }
}
