//! A locked file: write its record, verify it, release it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::Duration;

use crate::error::{During, PidFileError, Result};
use crate::record::{self, Record};
use crate::settings::{Settings, Target};
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
    pub(crate) settings: Settings,
    /// The number of forks just before the file was opened. `None` if another process may share the
    /// file from the start: after a commit the one that reserved it, after a hand-over the
    /// predecessor.
    forks: Option<u32>,
    /// A successor can adopt the file, and may have done so.
    offered: AtomicBool,
    /// `None` only once the file is closed.
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
            settings: target.settings,
            forks: Some(forks),
            offered: AtomicBool::new(false),
            file: Some(file),
        }
    }

    pub(crate) fn is_offered(&self) -> bool {
        self.offered.load(Ordering::Acquire)
    }

    /// The file, if the descriptor still refers to it. A program that becomes a daemon may have
    /// closed the descriptor, and its number may be in use for another file since. Then the lock is
    /// gone, and that other file must not be changed, so this returns `None`. Async-signal-safe.
    fn open_file(&self) -> Option<&File> {
        let is_ours = |file: &&File| sys::has_offset_tag(file, self.tag);
        self.file.as_ref().filter(is_ours)
    }

    /// The file, if this process still has the lock.
    pub(crate) fn locked_file(&self) -> Option<&File> {
        // Called only after `open_file` has checked the tag, because otherwise the descriptor may
        // refer to an unrelated file, which must not be locked.
        let has_lock = |file: &&File| !self.settings.lock || sys::confirm_lock(file);
        self.open_file().filter(has_lock)
    }

    /// Returns `true` if the descriptor, and so the lock, is still there.
    pub(crate) fn is_open(&self) -> bool {
        self.open_file().is_some()
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
                let reason = format!(
                    "no longer contains the PID of its holder, {owner}: another program has \
                     written to it"
                );
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
        let Some(file) = self.locked_file() else {
            return Err(ReleaseError::Lost);
        };
        #[cfg(unix)]
        if self.is_offered() {
            // A successor may have adopted the file, and then it shares the lock. So go on only if
            // no other process shares it.
            let len = sys::stat(file).map_or(0, |stat| stat.size);
            if !self.lock_unshared(file, len) {
                return Ok(());
            }
        }
        match sys::path_refers_to(&self.path, self.id) {
            Ok(true) => {}
            Ok(false) => {
                let _ = self.truncate(file);
                return Err(ReleaseError::Replaced);
            }
            // This process can no longer reach the path, after a chroot for example, but others
            // may. So leave a blank file, which is free.
            Err(error) => {
                let truncated = self.truncate(file);
                return truncated.map_err(|_| ReleaseError::Io("inspect", error));
            }
        }
        if self.settings.keep {
            let truncated = self.truncate(file);
            return truncated.map_err(|error| ReleaseError::Io("truncate", error));
        }
        #[cfg(unix)]
        if self.may_be_shared() {
            // The record is erased first, because the file stays if a child shares the lock. A
            // blank file is free once no process has the lock.
            let erased = record::erase(file);
            let len = erased.map_err(|error| ReleaseError::Io("truncate", error))?;
            if !self.lock_unshared(file, len) {
                return Ok(());
            }
        }
        let Err(error) = sys::unlink(&self.path) else {
            return Ok(());
        };
        // The file was not removed: the process has dropped privileges, for example, or the file
        // system is read-only by now. So leave a blank file.
        let truncated = self.truncate(file);
        match sys::is_removed(&error) {
            true => Err(ReleaseError::Replaced),
            false => truncated.map_err(|_| ReleaseError::Io("remove", error)),
        }
    }

    /// Releases the file and closes it. Does not leave the close to `drop`, which would check the
    /// descriptor once more.
    pub(crate) fn release_and_close(&mut self) -> Result<()> {
        let released = self.release();
        if !matches!(released, Err(ReleaseError::Lost)) || self.was_adopted() {
            self.file = None;
        }
        released.map_err(|error| error.into_error(&self.path))
    }

    /// Returns `true` if a successor has adopted the file and this process still has the descriptor
    /// open. Compares the file itself, because the successor has changed the tag.
    fn was_adopted(&self) -> bool {
        let is_this = |file: &File| sys::stat(file).is_ok_and(|stat| stat.id == self.id);
        self.is_offered() && self.file.as_ref().is_some_and(is_this)
    }

    /// Returns `true` if a child that this process forked may share the lock.
    pub(crate) fn may_be_shared(&self) -> bool {
        self.settings.lock && self.forks != Some(sys::fork_count())
    }

    /// Leaves a blank file. Unlocks it explicitly, because to close it can release the lock late: a
    /// program that another thread is just starting shares the lock until exec, and Windows may
    /// unlock some time after the close. Does not unlock it if a child may go on with the lock.
    fn truncate(&self, file: &File) -> io::Result<()> {
        let erased = record::erase(file);
        if self.settings.lock && !self.may_be_shared() {
            let _ = sys::unlock(file);
        }
        erased.map(drop)
    }

    /// Erases the record, so that the file does no harm if it cannot be removed.
    pub(crate) fn blank(&self) {
        if let Some(file) = self.open_file() {
            let _ = record::erase(file);
        }
    }
}

/// For forks and hand-overs, after which several processes share the lock.
#[cfg(unix)]
impl HeldFile {
    /// A file that `owner` has adopted from a predecessor, which may still share it. The new tag
    /// tells the predecessor that it is no longer the owner.
    pub(crate) fn adopted(target: &Target, file: File, id: FileId, owner: ProcessInstance) -> Self {
        let predecessors = sys::offset(&file).ok();
        let mut held = Self::new(target, file, id, owner, 0);
        held.forks = None;
        // The tags of two processes can be equal by chance, but two tags of one process always
        // differ. So set another one.
        let is_equal = Some(held.tag) == predecessors;
        if let (true, Some(file)) = (is_equal, &held.file) {
            held.tag = sys::offset_tag(file, owner.pid());
        }
        held
    }

    pub(crate) fn set_offered(&self, offered: bool) {
        self.offered.store(offered, Ordering::Release);
    }

    /// Makes `process`, which shares this blank file, its owner, and writes the record. Releases
    /// the file if that fails.
    pub(crate) fn commit(&mut self, process: ProcessInstance) -> Result<()> {
        self.owner = process;
        self.forks = None;
        let committed = self.write_record();
        if committed.is_err() {
            let _ = self.release();
        }
        committed
    }

    /// Leaves the lock to the children that share it. Returns the file, whose lock the caller can
    /// then probe. `None` if the file is lost or could not be opened anew.
    pub(crate) fn leave_lock_to_children(&self) -> Option<&File> {
        self.open_file().filter(|file| self.leave_lock(file))
    }

    /// Writes the owner's PID, whatever the file contains.
    pub(crate) fn write_record(&self) -> Result<()> {
        let file = self.verify_path()?;
        // Another program may have written into the file, so its length is not known.
        let len = sys::stat(file).map_or(0, |stat| stat.size);
        record::write(file, self.owner.pid(), len).during("write", &self.path)
    }

    /// Gives up this process's share of the lock on a file of `len` bytes, and then tries to lock
    /// the file for this process alone. Returns `true` if that succeeds. Then no other process
    /// shares the lock, so this process can remove the file.
    fn lock_unshared(&self, file: &File, len: u64) -> bool {
        // The number of attempts, a millisecond apart. A program that another thread is just
        // starting shares the lock until exec closes the descriptor, and these attempts outlast
        // that. Another start waits twice as long for a holder that is exiting.
        const TRIES: u32 = 25;
        if !self.leave_lock(file) {
            return false;
        }
        let mut tries = (0..TRIES).map(|number| {
            thread::sleep(Duration::from_millis(number.min(1).into()));
            sys::try_lock_exclusive(file)
        });
        // The file was unlocked in between. Another start may have acquired and removed it then,
        // and a program that does not lock may have written into it, so check the path and the
        // length.
        tries.any(|locked| matches!(locked, Ok(true)))
            && sys::stat(file).is_ok_and(|stat| stat.size == len)
            && matches!(sys::path_refers_to(&self.path, self.id), Ok(true))
    }

    /// Leaves the lock to the other processes that share it: opens the file anew, without a lock,
    /// and puts the result in the place of the old descriptor. Returns `false` if that fails.
    fn leave_lock(&self, file: &File) -> bool {
        let new = sys::open(&self.path, Access::ReadWrite);
        let Ok(new) = new.or_else(|_| sys::open(&self.path, Access::Read)) else {
            return false;
        };
        let is_same = sys::stat(&new).is_ok_and(|stat| stat.id == self.id);
        sys::set_offset_tag(&new, self.tag);
        is_same && sys::put_over(file, new).is_ok()
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if self.is_open() {
            return; // dropping the field closes the descriptor
        }
        if let Some(file) = self.file.take() {
            sys::forget(file);
        }
    }
}
