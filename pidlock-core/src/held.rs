//! A locked file: write its record, verify it, release it.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;

use crate::error::{During, PidFileError, Result};
use crate::record::{self, Record};
use crate::settings::Target;
#[cfg(unix)]
use crate::sys::Access;
use crate::sys::{self, AbsPath, FileId, ProcessInstance};

/// An acquired pidfile: the descriptor that holds the lock, and what is needed to release it.
/// Dropping it only closes the descriptor.
#[derive(Debug)]
pub(crate) struct HeldFile {
    pub(crate) path: AbsPath,
    pub(crate) id: FileId,
    pub(crate) owner: ProcessInstance,
    tag: u64,
    keep: bool,
    lock: bool,
    /// The number of forks just before the file was opened; `None` after a commit, because then the
    /// process that reserved the file shares it.
    forks: Option<u32>,
    /// `None` only once it is closed.
    file: Option<File>,
}

/// Why a release failed.
#[derive(Debug)]
pub(crate) enum ReleaseError {
    /// The descriptor was closed elsewhere in the program, which ended the lock.
    Lost,
    /// The path refers to another file, or to none.
    Replaced,
    Io(&'static str, io::Error),
}

impl ReleaseError {
    pub(crate) fn into_error(self, path: &Path) -> PidFileError {
        match self {
            Self::Lost => {
                let closed = io::Error::other("its descriptor was closed elsewhere in the program");
                PidFileError::io("use the lock of", path, closed)
            }
            Self::Replaced => PidFileError::replaced(path),
            Self::Io(doing, error) => PidFileError::io(doing, path, error),
        }
    }
}

impl HeldFile {
    /// `forks` is the number of forks before the file was opened.
    pub(crate) fn new(
        target: &Target,
        file: File,
        id: FileId,
        owner: ProcessInstance,
        forks: u32,
    ) -> Self {
        Self {
            path: target.path.clone(),
            id,
            owner,
            tag: sys::offset_tag(&file, owner.pid()),
            keep: target.settings.keep,
            lock: target.settings.lock,
            forks: Some(forks),
            file: Some(file),
        }
    }

    /// The file, if the descriptor still refers to it. A program that becomes a daemon may have closed
    /// the descriptor, and its number may be in use for another file since: then the lock is gone, and
    /// nothing may be touched. Async-signal-safe.
    fn open_file(&self) -> Option<&File> {
        let is_ours = |file: &&File| sys::has_offset_tag(file, self.tag);
        self.file.as_ref().filter(is_ours)
    }

    /// Returns `true` if the descriptor, and so the lock, is still there.
    pub(crate) fn is_open(&self) -> bool {
        self.open_file().is_some()
    }

    /// Makes `process`, which shares this blank file, its owner, and writes the record. Undoes that
    /// if it fails.
    #[cfg(unix)]
    pub(crate) fn commit(&mut self, process: ProcessInstance) -> Result<()> {
        self.owner = process;
        self.forks = None;
        let committed = self.verify_path().and_then(|file| {
            // Another program may have written into it.
            let len = sys::stat(file).map_or(0, |stat| stat.size);
            record::write(file, process.pid(), len).during("write", &self.path)
        });
        if committed.is_err() {
            let _ = self.release();
        }
        committed
    }

    /// Leaves the lock to the processes that share it. Returns the file, to find out when it is free.
    #[cfg(unix)]
    pub(crate) fn leave_lock_to_children(&self) -> Option<&File> {
        self.open_file().filter(|file| self.leave_lock(file))
    }

    /// Checks that the path still refers to this file, and that the file contains the owner's PID.
    pub(crate) fn verify(&self) -> Result<()> {
        let owner = self.owner.pid();
        if !self.owner.is_current() {
            return Err(PidFileError::locked(&self.path, Some(owner)));
        }
        let file = self.verify_path()?;
        match record::read(file, None).during("read", &self.path)? {
            Record::Pid(pid) if pid == owner => Ok(()),
            _ => {
                let reason = format!("no longer contains the PID of its holder, {owner}");
                Err(PidFileError::unreadable(&self.path, reason))
            }
        }
    }

    /// The file, if it is still open and the path refers to it.
    fn verify_path(&self) -> Result<&File> {
        let lost = || ReleaseError::Lost.into_error(&self.path);
        let file = self.open_file().ok_or_else(lost)?;
        match sys::path_refers_to(&self.path, self.id).during("inspect", &self.path)? {
            true => Ok(file),
            false => Err(PidFileError::replaced(&self.path)),
        }
    }

    /// Removes the file while it is locked, or truncates it. Does not close it.
    ///
    /// For the owner only. Async-signal-safe: drop, the exit handler and the signal handler release
    /// a file in the same way.
    pub(crate) fn release(&self) -> Result<(), ReleaseError> {
        // After `open_file` has checked the tag: the descriptor may refer to an unrelated file by now,
        // which must not be locked.
        let has_lock = |file: &&File| !self.lock || sys::confirm_lock(file);
        let Some(file) = self.open_file().filter(has_lock) else {
            return Err(ReleaseError::Lost);
        };
        match sys::path_refers_to(&self.path, self.id) {
            Ok(true) => {}
            Ok(false) => {
                let _ = self.truncate(file);
                return Err(ReleaseError::Replaced);
            }
            // Out of reach for this process, after a chroot for example, but perhaps not for others.
            Err(error) => {
                let truncated = self.truncate(file);
                return truncated.map_err(|_| ReleaseError::Io("inspect", error));
            }
        }
        if self.keep {
            let truncated = self.truncate(file);
            return truncated.map_err(|error| ReleaseError::Io("truncate", error));
        }
        #[cfg(unix)]
        if self.may_be_shared() {
            // First, because the file may have to stay: blank, it is free once no child shares the lock.
            let erased = record::erase(file);
            let len = erased.map_err(|error| ReleaseError::Io("truncate", error))?;
            if !self.lock_unshared(file, len) {
                return Ok(());
            }
        }
        let Err(error) = sys::unlink(&self.path) else {
            return Ok(());
        };
        // Privileges were dropped, or the file system is read-only by now.
        let truncated = self.truncate(file);
        match sys::is_removed(&error) {
            true => Err(ReleaseError::Replaced),
            false => truncated.map_err(|_| ReleaseError::Io("remove", error)),
        }
    }

    /// Releases the file and closes it, without checking the descriptor twice.
    pub(crate) fn release_and_close(mut self) -> Result<()> {
        let released = self.release();
        if !matches!(released, Err(ReleaseError::Lost)) {
            self.file = None;
        }
        released.map_err(|error| error.into_error(&self.path))
    }

    /// Returns `true` if a child that this process forked may share the lock.
    pub(crate) fn may_be_shared(&self) -> bool {
        self.lock && self.forks != Some(sys::fork_count())
    }

    /// Gives up this process's share of the lock on a blank file of `len` bytes and takes the lock
    /// anew, for itself. Returns `true` if that succeeds: no child goes on with the lock, and the file
    /// can be removed.
    #[cfg(unix)]
    fn lock_unshared(&self, file: &File, len: u64) -> bool {
        // A millisecond each: how long a program that another thread starts may share the lock, before
        // exec closes it. Another start waits twice as long for a holder that is leaving.
        const TRIES: u32 = 25;
        if !self.leave_lock(file) {
            return false;
        }
        let mut tries = (0..TRIES).map(|number| {
            sys::pause(Duration::from_millis(number.min(1).into()));
            sys::try_lock_exclusive(file)
        });
        // While no process had the lock, another start may have acquired and removed the file, and a
        // program that does not lock may have written into it.
        tries.any(|locked| matches!(locked, Ok(true)))
            && sys::stat(file).is_ok_and(|stat| stat.size == len)
            && matches!(sys::path_refers_to(&self.path, self.id), Ok(true))
    }

    /// Leaves the lock to the processes that share it: the descriptor refers to the same file, opened
    /// anew. Returns `false` if it could not be opened.
    #[cfg(unix)]
    fn leave_lock(&self, file: &File) -> bool {
        let new = sys::open(&self.path, Access::ReadWrite);
        let Ok(new) = new.or_else(|_| sys::open(&self.path, Access::Read)) else {
            return false;
        };
        let is_same = sys::stat(&new).is_ok_and(|stat| stat.id == self.id);
        sys::set_offset_tag(&new, self.tag);
        is_same && sys::put_over(file, new).is_ok()
    }

    /// Leaves a blank file. Unlocks it, unless a child may go on with the lock: a program that another
    /// thread is just starting shares it until exec, and on Windows closing may unlock later.
    fn truncate(&self, file: &File) -> io::Result<()> {
        let erased = record::erase(file);
        if self.lock && !self.may_be_shared() {
            let _ = sys::unlock(file);
        }
        erased.map(drop)
    }

    /// Truncates the file in case it cannot be unlinked.
    pub(crate) fn blank(&self) {
        if let Some(file) = self.open_file() {
            let _ = record::erase(file);
        }
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if self.is_open() {
            return; // the descriptor is closed with the field
        }
        if let Some(file) = self.file.take() {
            sys::forget(file);
        }
    }
}
