//! One hold of one pidfile: the open file, and how it is given back.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use crate::error::PidFileError;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, FullPath, Identity, Stat, ThisProcess};
use crate::trust;

/// An acquired pidfile. Dropping it only closes; giving it back is [`Hold::give_back`].
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) path: FullPath,
    pub(crate) id: Identity,
    owner: ThisProcess,
    /// What tells the open file from others that get its descriptor after it was closed behind our
    /// back; `None` where it could not be marked.
    pub(crate) mark: Option<u32>,
    pub(crate) keep: bool,
    given_back: bool,
    /// `None` once it is lost: the number is another file's by now, or nobody's.
    file: Option<File>,
}

impl Hold {
    #[inline]
    pub(crate) fn new(plan: &Plan<'_>, file: File, id: Identity, owner: ThisProcess) -> Self {
        let mark = sys::mark(&file, owner.pid()).ok();
        Self {
            path: plan.path.clone(),
            id,
            owner,
            mark,
            keep: plan.keep,
            given_back: false,
            file: Some(file),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn id(&self) -> Identity {
        self.id
    }

    pub(crate) fn owner(&self) -> ThisProcess {
        self.owner
    }

    /// The open file's number, for who may do no more than call the system.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.file.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Makes the file what was asked for: mode and owner exactly, then the record of the owner.
    /// `found` is what the file was before.
    pub(crate) fn write(&self, plan: &Plan<'_>, found: &Stat) -> Result<(), PidFileError> {
        let file = self.shape(plan, found)?;
        self.write_record(file, found.size)
    }

    /// The same without a record.
    #[cfg(unix)]
    pub(crate) fn clear(&self, plan: &Plan<'_>, found: &Stat) -> Result<(), PidFileError> {
        let file = self.shape(plan, found)?;
        match found.size {
            0 => Ok(()),
            _ => file
                .set_len(0)
                .map_err(|error| PidFileError::io("empty", &self.path, error)),
        }
    }

    #[inline]
    fn shape(&self, plan: &Plan<'_>, found: &Stat) -> Result<&File, PidFileError> {
        let Some(file) = &self.file else {
            return Err(self.descriptor_lost());
        };
        if plan.uid.is_some() || plan.gid.is_some() {
            self.give_away(file, plan, found)?;
        }
        if plan.mode != found.mode {
            sys::set_mode(file, plan.mode)
                .map_err(|error| PidFileError::io("change the mode of", &self.path, error))?;
        }
        Ok(file)
    }

    #[cold]
    fn give_away(&self, file: &File, plan: &Plan<'_>, found: &Stat) -> Result<(), PidFileError> {
        let uid = plan.uid.filter(|&uid| uid != found.uid);
        let gid = plan.gid.filter(|&gid| gid != found.gid);
        if uid.is_none() && gid.is_none() {
            return Ok(());
        }
        sys::set_owner(file, uid, gid)
            .map_err(|error| PidFileError::io("change the owner of", &self.path, error))
    }

    #[inline]
    fn write_record(&self, file: &File, old_len: u64) -> Result<(), PidFileError> {
        record::write(file, self.owner.pid(), old_len)
            .map_err(|error| PidFileError::io("write", &self.path, error))
    }

    /// Hands an empty, locked file over to process `me`, which inherited it, and writes its record.
    /// If that fails, the file is given back.
    #[cfg(unix)]
    pub(crate) fn adopt(&mut self, me: ThisProcess) -> Result<(), PidFileError> {
        self.owner = me;
        let Some(file) = self.sound_file() else {
            return Err(self.descriptor_lost());
        };
        let written = match trust::path_names(&self.path, self.id) {
            Ok(true) => {
                // Empty, unless somebody wrote into it meanwhile.
                let len = sys::stat(file).map_or(0, |stat| stat.size);
                self.write_record(file, len)
            }
            Ok(false) => return Err(PidFileError::replaced(&self.path)),
            Err(error) => Err(error),
        };
        written.inspect_err(|_| self.withdraw(true))
    }

    /// Whether the path still names this file, and the file this process.
    pub(crate) fn verify(&self) -> Result<(), PidFileError> {
        if !self.owner.is_current() {
            return Err(PidFileError::locked(&self.path, Some(self.owner.pid())));
        }
        let Some(file) = self.sound_file() else {
            return Err(self.descriptor_lost());
        };
        if !trust::path_names(&self.path, self.id)? {
            return Err(PidFileError::replaced(&self.path));
        }
        match record::read(file, None)
            .map_err(|error| PidFileError::io("read", &self.path, error))?
        {
            Record::Pid(pid) if pid == self.owner.pid() => Ok(()),
            _ => Err(PidFileError::unreadable(
                &self.path,
                format!(
                    "somebody overwrote the PID of this process, {}",
                    self.owner.pid()
                ),
            )),
        }
    }

    /// Removes the file while it is still locked; dropping `self` then closes it. For the owner
    /// process only, and once.
    #[inline]
    pub(crate) fn give_back(&mut self) -> Result<(), PidFileError> {
        self.given_back = true;
        let Some(file) = self.sound_file() else {
            self.abandon();
            return Err(self.descriptor_lost());
        };
        match sys::identify_path(&self.path) {
            Ok(there) if there == self.id => self.remove(file),
            Ok(_) => Err(PidFileError::replaced(&self.path)),
            Err(error) => {
                // Out of reach, by chroot or because a directory was renamed or closed to us, but
                // perhaps still there for others: they must find it empty.
                let emptied = empty(file);
                match error.kind() {
                    io::ErrorKind::NotFound => Err(PidFileError::replaced(&self.path)),
                    _ => emptied.map_err(|_| PidFileError::io("look at", &self.path, error)),
                }
            }
        }
    }

    /// Takes back a hold whose file could not be written. What stood in the file before was stale.
    pub(crate) fn withdraw(&mut self, made: bool) {
        // What we did not make and are to keep is only emptied.
        self.keep &= !made;
        let _ = self.give_back();
    }

    #[inline]
    fn remove(&self, file: &File) -> Result<(), PidFileError> {
        if self.keep {
            return empty(file).map_err(|error| PidFileError::io("empty", &self.path, error));
        }
        match sys::remove(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(PidFileError::replaced(&self.path))
            }
            // Privileges were dropped, or the file system became read-only: the next best.
            Err(error) => empty(file).map_err(|_| PidFileError::io("remove", &self.path, error)),
        }
    }

    /// The file, if its descriptor still is what it was when the lock was taken. A daemonizer may
    /// have closed every descriptor, and something else may have got the number since, the pidfile
    /// itself included: then the lock is gone, and nothing is ours to touch.
    #[inline]
    fn sound_file(&self) -> Option<&File> {
        let is_ours = |file: &&File| match self.mark {
            Some(mark) => sys::bears(file, mark),
            None => sys::stat(file).is_ok_and(|stat| stat.id == self.id),
        };
        self.file.as_ref().filter(is_ours)
    }

    /// Has a file that is nobody's pidfile any more name nobody, in case it cannot be removed.
    pub(crate) fn disown(&self) {
        if let Some(file) = self.sound_file() {
            let _ = empty(file);
        }
    }

    /// Whether the file is still open, and so the lock still held.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound_file().is_some()
    }

    fn descriptor_lost(&self) -> PidFileError {
        PidFileError::io(
            "reach the descriptor of",
            &self.path,
            io::Error::other("it was closed by another part of the program, which ended the lock"),
        )
    }

    fn abandon(&mut self) {
        if let Some(file) = self.file.take() {
            sys::abandon(file);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Who has given it back has looked already. The field closes itself.
        if !self.given_back && self.sound_file().is_none() {
            self.abandon();
        }
    }
}

/// Leaves an empty file, or where a full file system refuses even that, a blank one; either is free
/// for everybody. The lock is given back explicitly, whatever becomes of that, because a child that
/// was forked and has not called exec yet shares it, and the file stays.
fn empty(file: &File) -> io::Result<()> {
    let emptied = file
        .set_len(0)
        .or_else(|error| record::blank(file).map_err(|_| error));
    // Where there are no locks there is none to give back, and closing does it otherwise.
    let _ = sys::unlock(file);
    emptied
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_emptied_is_unlocked_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");
        std::fs::write(&path, "12345\n").expect("a file");
        let held = File::open(&path).expect("opened for reading only");
        assert!(sys::try_lock_exclusive(&held).expect("a lock"));
        let share_of_a_child = held.try_clone().expect("one more descriptor");
        empty(&held).expect_err("it cannot be written to");
        drop(held);
        let other = File::open(&path).expect("there still");
        assert!(sys::try_lock_exclusive(&other).expect("an answer"));
        drop(share_of_a_child);
    }
}
