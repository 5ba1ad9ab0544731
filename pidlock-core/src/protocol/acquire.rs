//! One attempt to acquire the pidfile, and the loop around it.

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use super::contention::{self, Backoff, Outcome};
use super::open::{self, OpenedFile};
use crate::cleanup::{CriticalSection, Handle, Table};
use crate::error::{PidFileError, Quoted};
use crate::held::HeldFile;
use crate::liveness;
use crate::record::{self, Record};
use crate::settings::{Settings, Target};
use crate::sys::{self, FileId, LOCK_MARK, ProcessInstance, Stat};

/// Each attempt but the first means that another process created or removed the file meanwhile. So
/// many in a row are no contention.
const MAX_ATTEMPTS: u32 = 1000;

/// So many are allowed however long they take: on an overloaded machine a single one can exceed the
/// deadline.
const MIN_ATTEMPTS: u32 = 50;

/// A locked file, or another handle to one.
pub(crate) enum Locked {
    /// By this call. The section lasts until the file is inserted into the table.
    Acquired(HeldFile, CriticalSection),
    /// By this process, before.
    HeldBySelf(Handle),
}

pub(crate) fn acquire(target: &Target) -> Result<Handle, PidFileError> {
    let process = ProcessInstance::current();
    match lock(target, process, Some(process.pid()))? {
        Locked::Acquired(held, section) => Ok(section.insert(&target.settings, held)),
        Locked::HeldBySelf(handle) => Ok(handle),
    }
}

/// Locks the file and writes the record. Without one the file is left blank.
pub(crate) fn lock(
    target: &Target,
    process: ProcessInstance,
    record: Option<u32>,
) -> Result<Locked, PidFileError> {
    let start = Start {
        target,
        process,
        record,
        // Before the file is opened: a child forked since may share it.
        forks: sys::fork_count(),
    };
    let mut backoff = Backoff::default();
    let mut attempts = 0;
    loop {
        if let Some(locked) = start.attempt(&mut backoff)? {
            return Ok(locked);
        }
        attempts += 1;
        let is_late = backoff.timed_out();
        if attempts >= if is_late { MIN_ATTEMPTS } else { MAX_ATTEMPTS } {
            let why = "other processes kept creating and removing it";
            return Err(PidFileError::gave_up(&target.path, why));
        }
    }
}

/// What a locked file turns out to be.
enum Verdict {
    /// Blank.
    Blank,
    /// The recorded process is gone.
    Stale,
    /// The recorded process is running, and may have written the file, but does not lock it.
    Running(u32),
    /// This process holds it without a kernel lock.
    HeldBySelf,
}

/// How an attempt goes on.
enum Next {
    Acquired(FileId),
    HeldBySelf(FileId),
    /// The file was created, removed or replaced meanwhile.
    Retry,
}

struct Start<'a> {
    target: &'a Target,
    process: ProcessInstance,
    record: Option<u32>,
    forks: u32,
}

impl Start<'_> {
    /// `None` if the file was created, removed or replaced meanwhile.
    fn attempt(&self, backoff: &mut Backoff) -> Result<Option<Locked>, PidFileError> {
        let (target, process) = (self.target, self.process);
        // Before the file is created: until it is in the table, no handler would remove it.
        let mut section = CriticalSection::enter(process);
        let Some(opened) = open::open_or_create(target, &section)? else {
            return Ok(None);
        };
        let locked = match sys::try_lock_exclusive(&opened.file) {
            Err(error) if !opened.writable && sys::needs_write_access(&error) => {
                return Err(self.lock_shared(&opened, error));
            }
            result => result.map_err(|error| contention::lock_error(target, error))?,
        };
        if !locked {
            drop(section);
            match contention::resolve(target, process, &opened.file, backoff)? {
                Outcome::Acquired => section = CriticalSection::enter(process),
                Outcome::Replaced => return Ok(None),
                Outcome::HeldBySelf(handle) => return Ok(Some(Locked::HeldBySelf(handle))),
            }
        }
        let next = self.settle(&opened, &section, backoff);
        let Ok(Next::Acquired(id)) = next else {
            // Explicitly: a child that another thread has just forked would keep the lock after the
            // descriptor is closed.
            let _ = sys::unlock(&opened.file);
            return match next? {
                Next::HeldBySelf(id) => self.share(id),
                Next::Acquired(_) | Next::Retry => Ok(None),
            };
        };
        let held = HeldFile::new(target, opened.file, id, process, self.forks);
        Ok(Some(Locked::Acquired(held, section)))
    }

    /// Takes over a locked file, if it is stale.
    fn settle(
        &self,
        opened: &OpenedFile,
        section: &CriticalSection,
        backoff: &mut Backoff,
    ) -> Result<Next, PidFileError> {
        let path = &self.target.path;
        let inspect_error = |error| PidFileError::io("inspect", path, error);
        let stat = sys::unless_removed(sys::stat(&opened.file)).map_err(inspect_error)?;
        let Some(stat) = stat else {
            return Ok(Next::Retry);
        };
        // A program that does not lock may have written into a file that this start created.
        let created = opened.created && stat.size == 0;
        let verdict = match created {
            true => Ok(Verdict::Blank),
            false => self.inspect(opened, &stat),
        };
        // After the recorded process is known to be gone: until then it can remove the file, if it
        // does not lock it, and an earlier answer would be out of date.
        if !sys::path_refers_to(path, stat.id).map_err(inspect_error)? {
            return Ok(Next::Retry);
        }
        match verdict? {
            Verdict::HeldBySelf => return Ok(Next::HeldBySelf(stat.id)),
            Verdict::Running(pid) => {
                // To wait with the lock would refuse other starts.
                let _ = sys::unlock(&opened.file);
                contention::wait_for_exit(self.target, pid, &stat)?;
                return Ok(Next::Retry);
            }
            Verdict::Blank if created => {}
            Verdict::Blank | Verdict::Stale if self.can_write_into(opened, &stat) => {}
            // Another user's start may have created the file, and be about to lock it.
            Verdict::Blank if backoff.is_in_doubt() => {
                let _ = sys::unlock(&opened.file);
                thread::sleep(Duration::from_millis(1));
                return Ok(Next::Retry);
            }
            Verdict::Blank | Verdict::Stale => {
                self.replace(&stat)?;
                return Ok(Next::Retry);
            }
        }
        section.install_handlers(self.target.settings.on_signal);
        Ok(match self.fill(opened, &stat, created)? {
            true => Next::Acquired(stat.id),
            false => Next::Retry,
        })
    }

    /// Inspects a locked file: which process does it name, and is that alive?
    fn inspect(&self, opened: &OpenedFile, stat: &Stat) -> Result<Verdict, PidFileError> {
        let path = &self.target.path;
        open::check_file_type(path, stat.file_type)?;
        if stat.size == 0 {
            return Ok(Verdict::Blank);
        }
        let record = record::read(&opened.file, Some(stat.size))
            .map_err(|error| PidFileError::io("read", path, error))?;
        let pid = match record {
            Record::Blank => return Ok(Verdict::Blank),
            Record::Invalid(reason) => return Err(PidFileError::unreadable(path, reason)),
            Record::Pid(pid) | Record::PidWithMore(pid) => pid,
        };
        let is_own = pid == self.process.pid();
        if is_own && Table::of(self.process).contains(stat.id) {
            return Ok(Verdict::HeldBySelf);
        }
        // Otherwise this process's own PID was written by a predecessor: PID 1 of a container that
        // was restarted, for example.
        if !is_own && liveness::may_have_written(pid, stat) {
            return Ok(Verdict::Running(pid));
        }
        match record {
            Record::PidWithMore(_) => Err(PidFileError::has_more(path, pid)),
            _ => Ok(Verdict::Stale),
        }
    }

    /// Returns `true` if writing into a stale file leaves it as if it had been created: it is no other
    /// file's second name, and belongs to the right user.
    fn can_write_into(&self, opened: &OpenedFile, stat: &Stat) -> bool {
        let owner = self.target.settings.uid.unwrap_or_else(sys::effective_uid);
        opened.writable && stat.links == 1 && stat.uid == owner
    }

    /// Removes a stale file while it is locked. The next attempt creates another one.
    fn replace(&self, stat: &Stat) -> Result<(), PidFileError> {
        let path = &self.target.path;
        let removed = sys::unless_removed(sys::unlink(path));
        removed.map(|_| ()).map_err(|error| {
            let message = format!(
                "cannot replace stale pidfile {} as {}: it belongs to uid {} and no process holds it; \
                 remove it as that user, or choose another directory with dir = \"...\"",
                Quoted(path),
                sys::current_user(),
                stat.uid
            );
            PidFileError::system(path, message, error)
        })
    }

    /// The answer for a file that this process holds without a kernel lock.
    fn share(&self, id: FileId) -> Result<Option<Locked>, PidFileError> {
        if !self.target.settings.reentrant {
            return Err(PidFileError::running(&self.target.path, self.process.pid()));
        }
        let handle = Table::of(self.process).handle(id);
        Ok(handle.map(Locked::HeldBySelf))
    }

    /// Sets mode, owner and record. `false` if the file was removed meanwhile.
    fn fill(&self, opened: &OpenedFile, stat: &Stat, created: bool) -> Result<bool, PidFileError> {
        let path = &self.target.path;
        match sys::unless_removed(set_owner_and_mode(self.target, opened, stat, LOCK_MARK)) {
            Ok(Some(())) => {}
            Ok(None) => return Ok(false),
            Err(error) => {
                self.abort(stat, created);
                return Err(PidFileError::io("change the owner or mode of", path, error));
            }
        }
        let written = match self.record {
            Some(pid) => record::write(&opened.file, pid, stat.size),
            None if stat.size > 0 => opened.file.set_len(0),
            None => Ok(()),
        };
        written.map(|()| true).map_err(|error| {
            let _ = record::erase(&opened.file);
            self.abort(stat, created);
            PidFileError::io("write", path, error)
        })
    }

    /// Removes a file that this start created but must not keep. It is still locked.
    fn abort(&self, stat: &Stat, created: bool) {
        let path = &self.target.path;
        if created && sys::path_refers_to(path, stat.id).is_ok_and(|is_there| is_there) {
            let _ = sys::unlink(path);
        }
    }

    /// The error for a file that can only be read, on a file system where an exclusive lock needs
    /// write access: is it held, or stale?
    fn lock_shared(&self, opened: &OpenedFile, error: io::Error) -> PidFileError {
        let path = &self.target.path;
        match sys::try_lock_shared(&opened.file) {
            Ok(false) => {
                let recorded = record::read(&opened.file, None).ok();
                let pid = recorded.and_then(|record| record.pid());
                PidFileError::locked(path, pid.filter(|&pid| sys::exists(pid)))
            }
            _ => {
                let _ = sys::unlock(&opened.file);
                let doing = format!("lock, without write access as {},", sys::current_user());
                PidFileError::io(&doing, path, error)
            }
        }
    }
}

/// Sets the owner and the mode that were asked for, exactly.
pub(crate) fn set_owner_and_mode(
    target: &Target,
    opened: &OpenedFile,
    stat: &Stat,
    mark: u32,
) -> io::Result<()> {
    let settings = &target.settings;
    let uid = settings.uid.filter(|&uid| uid != stat.uid);
    let gid = settings.gid.filter(|&gid| gid != stat.gid);
    if uid.is_some() || gid.is_some() {
        sys::set_owner(&opened.file, uid, gid)?;
    }
    let mode = settings.permissions();
    if stat.mode != mode | mark {
        let is_as_asked = settings.mode.is_none_or(|mode| stat.mode & 0o777 == mode);
        // FreeBSD keeps the mark for root only.
        let set =
            sys::set_mode(&opened.file, mode | mark).or_else(|_| sys::set_mode(&opened.file, mode));
        match set {
            // Only the mark is missing, or a default mode that need not be kept.
            Err(error) if is_as_asked && sys::is_not_kept(&error) => {}
            result => result?,
        }
    } else if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    check_kept(settings, &opened.file)
}

/// FAT ignores most modes without an error, and some network file systems ignore owners.
fn check_kept(settings: &Settings, file: &File) -> io::Result<()> {
    let (mode, uid, gid) = (settings.mode, settings.uid, settings.gid);
    // Windows has neither.
    if cfg!(windows) || (mode.is_none() && uid.is_none() && gid.is_none()) {
        return Ok(());
    }
    let stat = sys::stat(file)?;
    let is_kept = mode.is_none_or(|mode| stat.mode & 0o777 == mode)
        && uid.is_none_or(|uid| stat.uid == uid)
        && gid.is_none_or(|gid| stat.gid == gid);
    match is_kept {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the file system did not keep it",
        )),
    }
}
