//! Acquiring in two steps, for daemons: the parent, which still has the terminal, reserves; the
//! child, whose PID is to be in the file, commits. The lock is not free in between.

use std::fmt;
use std::path::Path;

use crate::acquire::{self, Purpose};
use crate::cleanup::{Claim, Share};
use crate::contents;
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::{Hold, Marked};
use crate::plan::{Plan, Settings};
use crate::record::Text;
use crate::sys::{self, FullPath, OpenFile, SharedWord, Stat, ThisProcess};

/// A pidfile that is locked and empty. Made by [`PidFile::reserve`](crate::PidFile::reserve).
///
/// The process that reserved, and every process that it forks from then on, has a share in it;
/// exactly one of them becomes the owner, the first to call [`commit`](Self::commit). Everybody
/// else is refused.
///
/// Dropped without a commit, it gives the file back where nobody else can commit: in the process
/// that reserved, if that has not forked since. Otherwise it only closes its own share: a parent
/// cannot see whether its child has committed. The end of the process, by `exit`, `_exit` or the
/// return from `main`, removes nothing. When all who have a share are gone, the lock is free, and
/// an empty file stays, which the next start takes over.
///
/// # Panics
///
/// Dropping never panics.
///
/// # Platform-specific behavior
///
/// Only on Unix. A fork is noticed by `pthread_atfork(3)`; a raw `clone(2)` is not, and a child
/// made by it can find its commit refused because the parent has given the file back.
#[must_use = "if unused, the pidfile is given back at once"]
pub struct Reservation {
    path: FullPath,
    settings: Settings,
    /// `None` only once it has been committed.
    hold: Option<Hold>,
    /// The PID of the process that has committed.
    committed: SharedWord,
    forks: u32,
}

/// To hand it over.
impl Purpose for Option<Hold> {
    fn fill(
        &self,
        plan: &Plan<'_>,
        file: &OpenFile,
        found: &Stat,
        _: &Text,
    ) -> Result<(), PidFileError> {
        contents::clear(plan, file, found)
    }

    fn take(&mut self, plan: &Plan<'_>, me: ThisProcess, _: Claim, file: Marked) {
        *self = Some(Hold::new(plan, file, me));
    }

    /// Not to be had: a share of a hold is no reservation.
    fn share(&mut self, plan: &Plan<'_>, share: Share) -> Result<(), PidFileError> {
        Err(PidFileError::locked(plan.path, Some(share.owner().pid())))
    }
}

pub(crate) fn reserve(path: FullPath, settings: Settings) -> Result<Reservation, PidFileError> {
    let me = ThisProcess::current();
    let forks = sys::forks();
    let committed =
        SharedWord::new().map_err(|error| PidFileError::io("share memory for", &path, error))?;
    let plan = Plan {
        path: &path,
        settings: &settings,
    };
    let mut hold = None;
    acquire::lock(&plan, me, &mut hold)?;
    Ok(Reservation {
        path,
        settings,
        hold,
        committed,
        forks,
    })
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
        &self.path
    }

    /// Writes the PID of the process that calls it, and makes it the owner.
    ///
    /// # Errors
    ///
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): another process that has a share was first.
    /// - [`Replaced`](PidFileError::Replaced): the file was removed or replaced since.
    /// - [`Io`](PidFileError::Io): the file could not be written, and was given back; or another
    ///   part of the program closed its descriptor.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("app").dir(dir.path()).reserve()?.commit()?;
    /// assert_eq!(std::fs::read_to_string(guard.path())?, format!("{}\n", std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(mut self) -> Result<PidGuard, PidFileError> {
        let me = ThisProcess::current();
        let claim = Claim::begin(me);
        let plan = Plan {
            path: &self.path,
            settings: &self.settings,
        };
        claim.arm_anew(&plan);
        if let Err(owner) = self.committed.set_once(me.pid()) {
            return Err(PidFileError::locked(&self.path, Some(owner)));
        }
        let Some(mut hold) = self.hold.take() else {
            return Err(PidFileError::replaced(&self.path));
        };
        // After an error it was given back, as far as it could be.
        hold.adopt(me, claim.text())?;
        Ok(PidGuard::new(claim.enter(&plan, || hold)))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(hold) = &mut self.hold else { return };
        // Who has set the word cannot lose the file to a commit that comes at this very moment, of
        // a child that was not counted.
        let alone = hold.owner().is_current()
            && self.forks == sys::forks()
            && self.committed.set_once(hold.owner().pid()).is_ok();
        if alone {
            let _claim = Claim::begin(hold.owner());
            let _ = hold.give_back();
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
