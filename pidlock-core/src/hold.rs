//! One hold of one pidfile: the open file, and how it is given back.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cleanup::{Claim, FreeSlots, Published};
use crate::error::PidFileError;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, FullPath, Identity, Stat, ThisProcess};
use crate::trust;

/// An acquired pidfile. Dropping it only closes; giving it back is [`Hold::release`].
#[derive(Debug)]
pub(crate) struct Hold {
    path: FullPath,
    id: Identity,
    owner: ThisProcess,
    keep: bool,
    /// What tells the open file from others that get its descriptor after it was closed behind our
    /// back; `None` where it could not be marked.
    mark: Option<u32>,
    /// `None` only at the end of a drop that must not close it.
    file: Option<File>,
    /// How it is removed should the guard not come to it.
    published: Option<Published>,
    /// Whether the descriptor's number was found to be another file's, or nobody's.
    lost: AtomicBool,
    released: AtomicBool,
}

impl Hold {
    pub(crate) fn new(
        path: FullPath,
        file: File,
        id: Identity,
        owner: ThisProcess,
        keep: bool,
    ) -> Self {
        Self {
            path,
            id,
            owner,
            keep,
            mark: sys::mark(&file, owner.pid()).ok(),
            file: Some(file),
            published: None,
            lost: AtomicBool::new(false),
            released: AtomicBool::new(false),
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

    /// Makes the file what was asked for: mode and owner exactly, then the record of the owner.
    /// `found` is what the file was before.
    pub(crate) fn write(&self, plan: &Plan, found: &Stat) -> Result<(), PidFileError> {
        let file = self.shape(plan, found)?;
        self.write_record(file, found.size)
    }

    /// The same without a record.
    #[cfg(unix)]
    pub(crate) fn clear(&self, plan: &Plan, found: &Stat) -> Result<(), PidFileError> {
        let file = self.shape(plan, found)?;
        match found.size {
            0 => Ok(()),
            _ => file
                .set_len(0)
                .map_err(|error| PidFileError::io("empty", &self.path, error)),
        }
    }

    fn shape(&self, plan: &Plan, found: &Stat) -> Result<&File, PidFileError> {
        let Some(file) = &self.file else {
            return Err(self.descriptor_lost());
        };
        let failed = |doing| move |error| PidFileError::io(doing, &self.path, error);
        let uid = plan.uid.filter(|&uid| uid != found.uid);
        let gid = plan.gid.filter(|&gid| gid != found.gid);
        if uid.is_some() || gid.is_some() {
            sys::set_owner(file, uid, gid).map_err(failed("change the owner of"))?;
        }
        if plan.mode != found.mode {
            sys::set_mode(file, plan.mode).map_err(failed("change the mode of"))?;
        }
        Ok(file)
    }

    fn write_record(&self, file: &File, old_len: u64) -> Result<(), PidFileError> {
        record::write(file, self.owner.pid(), old_len)
            .map_err(|error| PidFileError::io("write", &self.path, error))
    }

    /// Hands an empty, locked file over to process `me`, which inherited it, and writes its record.
    /// If that fails, the file is given back.
    #[cfg(unix)]
    pub(crate) fn adopt(mut self, me: ThisProcess, claim: &Claim) -> Result<Self, PidFileError> {
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
        match written {
            Ok(()) => Ok(self),
            Err(error) => {
                self.withdraw(true, claim);
                Err(error)
            }
        }
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

    /// Has the file removed on the occasions that the plan names, should the guard not come to it.
    pub(crate) fn publish(&mut self, plan: &Plan, claim: &Claim, free: &mut FreeSlots) {
        if let Some(file) = &self.file {
            self.published = claim.publish(free, plan, file, self.id, self.mark);
        }
    }

    /// Removes the file while it is still locked; dropping `self` then closes it. For the owner
    /// process only.
    pub(crate) fn release(&self, claim: &Claim, free: &mut FreeSlots) -> Result<(), PidFileError> {
        // Handles of a hold that lost its descriptor are not counted once another hold has taken
        // its place, so each of them comes here; what was published is another file's by then.
        if self.released.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(published) = &self.published else {
            return self.give_back();
        };
        if !claim.withdraw(published) {
            // The program is exiting, and has given the file back. The descriptor stays open: what
            // has become of its number is not known any more.
            self.lost.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let result = self.give_back();
        claim.forget(published, free);
        result
    }

    fn give_back(&self) -> Result<(), PidFileError> {
        let Some(file) = self.sound_file() else {
            self.lost.store(true, Ordering::Relaxed);
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
    pub(crate) fn withdraw(mut self, made: bool, claim: &Claim) {
        // What we did not make and are to keep is only emptied.
        self.keep &= !made;
        let _ = self.release_unpublished(claim);
    }

    /// The same for a hold that nobody but the caller knows of yet.
    pub(crate) fn release_unpublished(&self, claim: &Claim) -> Result<(), PidFileError> {
        self.release(claim, &mut FreeSlots::default())
    }

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
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Who has given it back has looked already.
        let lost = match *self.released.get_mut() {
            true => *self.lost.get_mut(),
            false => self.sound_file().is_none(),
        };
        // Otherwise the field closes itself.
        if let Some(file) = self.file.take_if(|_| lost) {
            sys::abandon(file);
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
