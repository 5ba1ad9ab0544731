//! Acquires a pidfile in two steps, for daemons: the parent reserves it while it still has the
//! terminal, the child commits its PID. The lock is held throughout.

use std::path::Path;

use crate::cleanup::{self, CriticalSection};
use crate::error::{During, PidFileError};
use crate::guard::PidGuard;
use crate::held::HeldFile;
use crate::protocol::acquire::{self, Locked};
use crate::settings::Target;
use crate::sys::{ProcessInstance, SharedWord};

/// A locked, empty pidfile, created by [`PidFile::reserve`](crate::PidFile::reserve).
///
/// The reserving process and the children that it forks later share it. The first of them to call
/// [`commit`](Self::commit) becomes the owner, and the others get an error.
///
/// If it is dropped uncommitted, the file is removed only in the reserving process, and only if that
/// has not forked since: a parent cannot know whether a child has committed. The end of a process
/// removes nothing. Once all processes that share the file are gone, an empty, unlocked file remains,
/// which the next start takes over.
///
/// # Panics
///
/// Dropping never panics.
///
/// # Platform-specific behavior
///
/// Unix only. Forks are detected with `pthread_atfork(3)`. A child created by a raw `clone(2)` is not
/// detected, and its commit can fail because the parent has removed the file.
#[must_use = "if unused, the pidfile is released at once"]
#[derive(Debug)]
pub struct Reservation {
    target: Target,
    /// `None` after commit.
    held: Option<HeldFile>,
    /// The PID of the process that committed, or that dropped the reservation.
    settled_by: SharedWord,
}

pub(crate) fn reserve(target: Target) -> Result<Reservation, PidFileError> {
    let process = ProcessInstance::current();
    let settled_by = SharedWord::new().during("share memory for", &target.path)?;
    match acquire::lock(&target, process, None)? {
        Locked::Acquired(held, _section) => Ok(Reservation {
            target,
            held: Some(held),
            settled_by,
        }),
        Locked::HeldBySelf(_) => unreachable!("a reservation is not reentrant"),
    }
}

impl Reservation {
    /// The pidfile's absolute path.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let reservation = PidFile::new("app").dir(dir.path()).reserve()?;
    /// assert_eq!(reservation.path(), dir.path().join("app.pid"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.target.path
    }

    /// Writes the PID of the calling process into the file and makes it the owner.
    ///
    /// # Errors
    ///
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): another process that shares the reservation
    ///   committed first.
    /// - [`Replaced`](PidFileError::Replaced): the file was removed or replaced.
    /// - [`Io`](PidFileError::Io): the file could not be written, and was released; or another part
    ///   of the program has closed its descriptor.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).reserve()?.commit()?;
    /// assert_eq!(std::fs::read_to_string(guard.path())?, format!("{}\n", std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(mut self) -> Result<PidGuard, PidFileError> {
        let process = ProcessInstance::current();
        let section = CriticalSection::enter(process);
        let settings = &self.target.settings;
        if let Err(owner) = self.settled_by.set_once(process.pid()) {
            return Err(PidFileError::locked(&self.target.path, Some(owner)));
        }
        let Some(mut held) = self.held.take() else {
            return Err(PidFileError::replaced(&self.target.path));
        };
        cleanup::install_handlers(settings.on_signal);
        held.commit(process)?;
        Ok(PidGuard::new(section.insert(settings, held)))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        let owner = held.owner;
        // With the word set, a child that was not counted can no longer commit while the file is removed.
        let is_alone = owner.is_current()
            && !held.may_be_shared()
            && self.settled_by.set_once(owner.pid()).is_ok();
        if is_alone {
            let _section = CriticalSection::enter(owner);
            let _ = held.release();
        }
    }
}
