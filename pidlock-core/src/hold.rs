//! One hold of one pidfile: the open file, and how it is given back.

use std::io;
use std::path::Path;

use crate::error::PidFileError;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, FullPath, Identity, OpenFile, ThisProcess};
use crate::trust;

/// An acquired pidfile. Dropping it only closes; giving it back is [`Hold::give_back`].
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) path: FullPath,
    pub(crate) id: Identity,
    owner: ThisProcess,
    mark: Option<u32>,
    pub(crate) keep: bool,
    /// `None` once it is closed, or lost: the number is another file's by now, or nobody's.
    file: Option<OpenFile>,
}

/// An open file that is to be held.
pub(crate) struct Marked {
    file: OpenFile,
    id: Identity,
    /// What tells the open file from others that get its descriptor after it was closed behind our
    /// back; `None` where it could not be marked.
    mark: Option<u32>,
}

impl Marked {
    #[inline]
    pub(crate) fn new(file: OpenFile, id: Identity) -> Self {
        let mark = sys::mark(&file).ok();
        Self { file, id, mark }
    }
}

/// What went wrong while a hold was given back.
pub(crate) enum Trouble {
    /// The descriptor was closed behind our back.
    Lost,
    /// The path does not name the file any more.
    Replaced,
    Io(&'static str, io::Error),
}

impl Trouble {
    #[cold]
    pub(crate) fn with(self, path: &FullPath) -> PidFileError {
        match self {
            Self::Lost => PidFileError::io(
                "reach the descriptor of",
                path,
                io::Error::other(
                    "it was closed by another part of the program, which ended the lock",
                ),
            ),
            Self::Replaced => PidFileError::replaced(path),
            Self::Io(doing, error) => PidFileError::io(doing, path, error),
        }
    }
}

impl Hold {
    #[inline]
    pub(crate) fn new(plan: &Plan<'_>, marked: Marked, owner: ThisProcess) -> Self {
        Self {
            path: plan.path.clone(),
            id: marked.id,
            owner,
            mark: marked.mark,
            keep: plan.keep,
            file: Some(marked.file),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn owner(&self) -> ThisProcess {
        self.owner
    }

    /// Hands an empty, locked file over to process `me`, which inherited it, and writes its record.
    /// If that fails, the file is given back.
    #[cfg(unix)]
    pub(crate) fn adopt(
        &mut self,
        me: ThisProcess,
        text: &record::Text,
    ) -> Result<(), PidFileError> {
        self.owner = me;
        let Some(file) = self.sound_file() else {
            return Err(Trouble::Lost.with(&self.path));
        };
        let written = match trust::path_names(&self.path, self.id) {
            Ok(true) => {
                // Empty, unless somebody wrote into it meanwhile.
                let len = sys::stat(file).map_or(0, |stat| stat.size());
                record::write(file, text, len)
                    .map_err(|error| PidFileError::io("write", &self.path, error))
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
            return Err(Trouble::Lost.with(&self.path));
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

    /// Removes the file while it is still locked, and closes it. For the owner process only.
    #[inline(always)] // it is only that long when something is wrong
    pub(crate) fn give_back(&mut self) -> Result<(), Trouble> {
        let Some(file) = self.sound_file() else {
            self.abandon();
            return Err(Trouble::Lost);
        };
        let given_back = match sys::identify_path(&self.path) {
            Ok(there) if there == self.id => self.remove(file),
            Ok(_) => Err(Trouble::Replaced),
            Err(error) => out_of_reach(file, error),
        };
        self.file = None;
        given_back
    }

    /// Takes back a hold whose file could not be written. What stood in the file before was stale.
    #[cold]
    pub(crate) fn withdraw(&mut self, made: bool) {
        // What we did not make and are to keep is only emptied.
        self.keep &= !made;
        let _ = self.give_back();
    }

    #[inline]
    fn remove(&self, file: &OpenFile) -> Result<(), Trouble> {
        if self.keep {
            return empty(file).map_err(|error| Trouble::Io("empty", error));
        }
        match sys::remove(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Trouble::Replaced),
            // Privileges were dropped, or the file system became read-only: the next best.
            Err(error) => empty(file).map_err(|_| Trouble::Io("remove", error)),
        }
    }

    /// The file, if its descriptor still is what it was when the lock was taken. A daemonizer may
    /// have closed every descriptor, and something else may have got the number since, the pidfile
    /// itself included: then the lock is gone, and nothing is ours to touch. Async-signal-safe.
    #[inline]
    pub(crate) fn sound_file(&self) -> Option<&OpenFile> {
        let is_ours = |file: &&OpenFile| match self.mark {
            Some(mark) => sys::bears(file, mark),
            None => sys::stat(file).is_ok_and(|stat| stat.id() == self.id),
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

    #[cold]
    fn close_if_sound(&mut self) {
        match self.is_sound() {
            true => self.file = None,
            false => self.abandon(),
        }
    }

    #[cold]
    fn abandon(&mut self) {
        if let Some(file) = self.file.take() {
            sys::abandon(file);
        }
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if self.file.is_some() {
            self.close_if_sound();
        }
    }
}

/// For what lies where we do not reach it, by chroot or because a directory was renamed or closed to
/// us, but others perhaps do: they must find it empty.
#[cold]
fn out_of_reach(file: &OpenFile, error: io::Error) -> Result<(), Trouble> {
    let emptied = empty(file);
    match error.kind() {
        io::ErrorKind::NotFound => Err(Trouble::Replaced),
        _ => emptied.map_err(|_| Trouble::Io("look at", error)),
    }
}

/// Leaves an empty file, or where a full file system refuses even that, a blank one; either is free
/// for everybody. The lock is given back explicitly, whatever becomes of that, because a child that
/// was forked and has not called exec yet shares it, and the file stays.
#[cold]
fn empty(file: &OpenFile) -> io::Result<()> {
    let emptied = sys::truncate(file, 0).or_else(|error| record::blank(file).map_err(|_| error));
    // Where there are no locks there is none to give back, and closing does it otherwise.
    let _ = sys::unlock(file);
    emptied
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn what_cannot_be_emptied_is_unlocked_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");
        std::fs::write(&path, "12345\n").expect("a file");
        let held = File::open(&path)
            .map(OpenFile::from)
            .expect("opened for reading only");
        assert!(sys::try_lock_exclusive(&held).expect("a lock"));
        let share_of_a_child = held.try_clone().expect("one more descriptor");
        empty(&held).expect_err("it cannot be written to");
        drop(held);
        let other = File::open(&path).map(OpenFile::from).expect("there still");
        assert!(sys::try_lock_exclusive(&other).expect("an answer"));
        drop(share_of_a_child);
    }
}
