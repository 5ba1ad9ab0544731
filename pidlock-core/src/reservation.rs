//! Acquires a pidfile in two steps, for daemons: the parent reserves it while it still has the
//! terminal, the child commits its PID. The lock is held throughout.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cleanup::{self, CriticalSection};
use crate::error::{During, PidFileError};
use crate::guard::PidGuard;
use crate::held::HeldFile;
use crate::protocol::acquire::Locked;
use crate::record;
use crate::settings::Target;
use crate::sys::{self, ProcessInstance, SharedWord};
use crate::trace::event;
use crate::wait::{self, OnWait};

/// A locked, empty pidfile, created by [`PidFile::reserve`](crate::PidFile::reserve).
///
/// The reserving process and the children that it forks later share it. The first of them to call
/// [`commit`](Self::commit) becomes the owner, and the others get an error.
///
/// Dropping an uncommitted reservation removes the file only in the process that reserved it, and only
/// before its first fork, even a failed one: after a fork, a child may have committed.
/// [`wait_committed`](Self::wait_committed) finds out, and removes the file if no child is left. In all
/// other cases, also if a signal ends the process before the commit, an empty, unlocked file remains
/// once all processes that share it are gone. The next start takes it over.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// // In the parent, where a refusal still reaches the terminal:
/// let reservation = PidFile::new("my_app_reservation").temp_dir(true).reserve()?;
/// // Fork here. Then in the child:
/// let guard = reservation.commit()?;
/// assert_eq!(guard.pid(), std::process::id());
/// # Ok::<(), pidlock_core::PidFileError>(())
/// ```
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
    /// The PID of the first process that committed or dropped the reservation. No other one can
    /// commit.
    settled_by: SharedWord,
    /// The PID of the process that committed, once that PID is in the file.
    committed_by: SharedWord,
}

pub(crate) fn reserve(
    target: Target,
    on_wait: Option<OnWait>,
) -> Result<Reservation, PidFileError> {
    let share = || SharedWord::new().during("share memory for", &target.path);
    let (settled_by, committed_by) = (share()?, share()?);
    match wait::lock(target.clone(), on_wait, false)? {
        Locked::Acquired(held, ..) => Ok(Reservation {
            target,
            held: Some(held),
            settled_by,
            committed_by,
        }),
        Locked::HeldBySelf(_) => unreachable!("a reservation is not reentrant"),
    }
}

impl Reservation {
    /// The pidfile's absolute path.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let reservation = PidFile::new("my_app_reservation_path").temp_dir(true).reserve()?;
    /// assert!(reservation.path().ends_with("my_app_reservation_path.pid"));
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
    /// use pidlock_core::PidFile;
    ///
    /// let guard = PidFile::new("my_app_reservation_commit").temp_dir(true).reserve()?.commit()?;
    /// assert_eq!(std::fs::read_to_string(guard.path())?, format!("{}\n", std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(mut self) -> Result<PidGuard, PidFileError> {
        let process = ProcessInstance::current();
        let section = CriticalSection::enter(process);
        if let Err(owner) = self.settled_by.set_once(process.pid()) {
            return Err(PidFileError::locked(&self.target.path, Some(owner)));
        }
        let Some(mut held) = self.held.take() else {
            return Err(PidFileError::replaced(&self.target.path));
        };
        cleanup::install_handlers(held.settings.on_signal);
        held.commit(process)?;
        let _ = self.committed_by.set_once(process.pid());
        let handle = section.insert(held);
        drop(section);
        event!(DEBUG, &handle.path, handle.owner.pid(), "acquired");
        Ok(PidGuard { handle })
    }

    /// Waits until a forked child has committed, and returns its PID, which is in the file then.
    ///
    /// For the process that reserved the file and forked: when it exits after that, a service manager
    /// such as systemd (`Type=forking`) finds the daemon's PID in the file. If this process ends while
    /// it waits, the child goes on, and may still commit.
    ///
    /// # Errors
    ///
    /// [`NotCommitted`](PidFileError::NotCommitted):
    ///
    /// - All processes that share the reservation have ended or dropped it. The file is removed.
    /// - The file was removed, or all children have ended and another start was faster to acquire it.
    /// - `timeout` has passed. The child may still commit, unless the caller ends it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// /// Stands for `fork(2)`: returns `true` in the parent.
    /// fn fork() -> std::io::Result<bool> {
    ///     Ok(true)
    /// }
    ///
    /// let reservation = PidFile::new("my_app").dir("/run/my_app").reserve()?;
    /// if fork()? {
    ///     let pid = reservation.wait_committed(Duration::from_secs(30))?;
    ///     println!("running in the background as PID {pid}");
    ///     return Ok(());
    /// }
    /// let guard = reservation.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_committed(self, timeout: Duration) -> Result<u32, PidFileError> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(10);
        let deadline = Instant::now().checked_add(timeout);
        let file = self
            .held
            .as_ref()
            .and_then(HeldFile::leave_lock_to_children);
        let mut pause = Duration::from_micros(200);
        loop {
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let reason = self.lost_to(file);
            let reason = reason.or_else(|| is_late.then(|| format!("{timeout:?} have passed")));
            // Read after `lost_to`, which also returns a reason once a child has committed and
            // ended.
            if let Some(pid) = self.committed_by.get() {
                return Ok(pid);
            }
            if let Some(reason) = reason {
                self.remove_unshared(file);
                let path = self.path().to_owned();
                return Err(PidFileError::NotCommitted { path, reason });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Removes the file if no other process has the lock, so that it is this process's alone.
    fn remove_unshared(&self, file: Option<&File>) {
        let is_unshared = |file| matches!(sys::try_lock_exclusive(file), Ok(true));
        if let Some(held) = self.held.as_ref().filter(|_| file.is_some_and(is_unshared)) {
            let _section = CriticalSection::enter(held.owner);
            let _ = held.release();
        }
    }

    /// Returns the reason why no child can commit any more. `None` if a child may still commit.
    fn lost_to(&self, file: Option<&File>) -> Option<String> {
        let held = self.held.as_ref()?;
        if matches!(sys::path_refers_to(&held.path, held.id), Ok(false)) {
            return Some("the file was removed or replaced".to_owned());
        }
        let file = file?;
        if matches!(sys::try_lock_exclusive(file), Ok(true)) {
            return Some("no process shares the reservation any more".to_owned());
        }
        let pid = record::read(file, None).ok()?.pid()?;
        // A child sets `settled_by` before it writes its record, so another PID is that of another
        // start.
        let is_child = self.settled_by.get() == Some(pid);
        (!is_child).then(|| format!("PID {pid} has acquired it"))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        let owner = held.owner;
        // `may_be_shared` does not see a child of a raw `clone(2)`. Once `settled_by` is set, such a child
        // cannot commit, so it does not become the holder of a removed file.
        let is_alone = owner.is_current()
            && !held.may_be_shared()
            && self.settled_by.set_once(owner.pid()).is_ok();
        if is_alone {
            let _section = CriticalSection::enter(owner);
            let _ = held.release();
        }
    }
}
