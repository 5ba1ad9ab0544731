//! One hold of one pidfile: the open file, and how it is given back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::error::PidFileError;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, Identity, Stat, ThisProcess};

/// An acquired pidfile. Dropping it only closes; giving it back is [`Hold::release`].
#[derive(Debug)]
pub(crate) struct Hold {
    path: PathBuf,
    id: Identity,
    owner: ThisProcess,
    keep: bool,
    /// `None` only at the end of a drop that must not close it.
    file: Option<File>,
    /// Whether `file` still was the locked file when it was last about to be used.
    sound: OnceLock<bool>,
}

impl Hold {
    pub(crate) fn new(
        path: PathBuf,
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
            file: Some(file),
            sound: OnceLock::new(),
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

    /// Makes the file what was asked for: mode and owner exactly, then the record of this process.
    /// `found` is what the file was before.
    pub(crate) fn write(&self, plan: &Plan, found: &Stat) -> Result<(), PidFileError> {
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
        record::write(file, self.owner.pid(), found.size).map_err(failed("write"))
    }

    /// Whether the path still names this file, and the file this process.
    pub(crate) fn verify(&self) -> Result<(), PidFileError> {
        if !self.owner.is_current() {
            return Err(PidFileError::locked(&self.path, Some(self.owner.pid())));
        }
        let Some((file, _)) = self.sound_file() else {
            return Err(self.descriptor_lost());
        };
        match sys::stat_path(&self.path) {
            Ok(there) if there.id == self.id => {}
            Ok(_) => return Err(PidFileError::replaced(&self.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PidFileError::replaced(&self.path));
            }
            Err(error) => return Err(PidFileError::io("look at", &self.path, error)),
        }
        match record::read(file).map_err(|error| PidFileError::io("read", &self.path, error))? {
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
    pub(crate) fn release(&self) -> Result<(), PidFileError> {
        let found = self.sound_file();
        let _ = self.sound.set(found.is_some());
        let Some((file, stat)) = found else {
            return Err(self.descriptor_lost());
        };
        match sys::stat_path(&self.path) {
            Ok(there) if there.id == self.id => self.remove(file),
            Ok(_) => Err(PidFileError::replaced(&self.path)),
            Err(error) => {
                // Out of reach, by chroot or because a directory was renamed or closed to us, but
                // still there for others: they must find it empty.
                let emptied = stat.links > 0 && empty(file).is_ok();
                match error.kind() {
                    io::ErrorKind::NotFound => Err(PidFileError::replaced(&self.path)),
                    _ if emptied => Ok(()),
                    _ => Err(PidFileError::io("look at", &self.path, error)),
                }
            }
        }
    }

    /// Takes back a hold whose file could not be written. What stood in the file before was stale.
    pub(crate) fn withdraw(mut self, made: bool) {
        // What we did not make and are to keep is only emptied.
        self.keep &= !made;
        let _ = self.release();
    }

    fn remove(&self, file: &File) -> Result<(), PidFileError> {
        if self.keep {
            return empty(file).map_err(|error| PidFileError::io("empty", &self.path, error));
        }
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(PidFileError::replaced(&self.path))
            }
            // Privileges were dropped, or the file system became read-only: the next best.
            Err(error) => empty(file).map_err(|_| PidFileError::io("remove", &self.path, error)),
        }
    }

    /// The file, if its descriptor still is what it was when the lock was taken. A daemonizer may
    /// have closed every descriptor, and something else may have got the number since: then the
    /// lock is gone, and nothing is ours to touch.
    fn sound_file(&self) -> Option<(&File, Stat)> {
        let file = self.file.as_ref()?;
        let stat = sys::stat(file).ok().filter(|stat| stat.id == self.id)?;
        Some((file, stat))
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
        let sound = match self.sound.get() {
            Some(&sound) => sound,
            None => self.sound_file().is_some(),
        };
        if sound {
            return; // the field closes itself
        }
        if let Some(file) = self.file.take() {
            sys::abandon(file);
        }
    }
}

/// Leaves an empty file, which is free for everybody. The lock is given back explicitly, because
/// a child that was forked and has not called exec yet shares it, and the file stays.
fn empty(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    sys::unlock(file)
}
