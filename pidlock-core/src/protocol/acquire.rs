//! One attempt to acquire the pidfile, and the loop around it.

use std::fs::File;
use std::io;
use std::path::Path;

use super::contention::{self, Backoff};
use super::open::{self, Origin};
use crate::cleanup::{self, CriticalSection, Handle, Table};
use crate::error::{During, PidFileError, Result, quoted};
use crate::held::HeldFile;
use crate::liveness;
use crate::record::{self, Record};
use crate::settings::Target;
use crate::sys::{self, FileId, ProcessInstance, Stat};

/// So many attempts are allowed however long they take: on an overloaded machine a single one can exceed
/// the deadline. Each but the first means that another process created or removed the file meanwhile.
const MIN_ATTEMPTS: u32 = 50;

/// A locked file, or another handle to one.
pub(crate) enum Locked {
    /// By this call. The section lasts until the file is inserted into the table.
    Acquired(HeldFile, CriticalSection),
    /// By this process, before.
    HeldBySelf(Handle),
}

pub(crate) fn acquire(target: &Target) -> Result<Handle> {
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
) -> Result<Locked> {
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
        if let Some((held, section)) = start.attempt(&mut backoff)? {
            return Ok(Locked::Acquired(held, section));
        }
        if let Some(handle) = held_by_this_process(target, process)? {
            return Ok(Locked::HeldBySelf(handle));
        }
        backoff.pause_in_doubt();
        attempts += 1;
        if backoff.timed_out() && attempts >= MIN_ATTEMPTS {
            let why = "other processes kept creating and removing it";
            return Err(PidFileError::gave_up(&target.path, why));
        }
    }
}

/// What a locked file turns out to be.
enum Verdict {
    Blank,
    /// The recorded process is gone.
    Stale,
    /// The recorded process is running, and may have written the file, but does not lock it.
    Running(u32),
    /// This process holds it without a kernel lock.
    HeldBySelf,
}

struct Start<'a> {
    target: &'a Target,
    process: ProcessInstance,
    record: Option<u32>,
    forks: u32,
}

impl Start<'_> {
    /// `None` if the file was created, removed or replaced meanwhile, or this process holds it.
    fn attempt(&self, backoff: &mut Backoff) -> Result<Option<(HeldFile, CriticalSection)>> {
        let (target, process) = (self.target, self.process);
        // Before the file is created: until it is in the table, no handler would remove it.
        let mut section = CriticalSection::enter(process);
        let Some((file, origin)) = open::open_or_create(target)? else {
            return Ok(None);
        };
        if !contention::try_lock(target, &file)? {
            drop(section);
            if !contention::resolve(target, process, &file, backoff)? {
                return Ok(None);
            }
            section = CriticalSection::enter(process);
        }
        let settled = self.settle(&file, origin, backoff);
        let Ok(Some(id)) = settled else {
            // Explicitly: a child that another thread has just forked would keep the lock after the
            // descriptor is closed.
            let _ = sys::unlock(&file);
            return settled.map(|_| None);
        };
        let held = HeldFile::new(target, file, id, process, self.forks);
        Ok(Some((held, section)))
    }

    /// Takes over a locked file, if it is stale.
    fn settle(&self, file: &File, origin: Origin, backoff: &mut Backoff) -> Result<Option<FileId>> {
        let path = &self.target.path;
        let stat = sys::unless_removed(sys::stat(file));
        let Some(stat) = stat.during("inspect", path)? else {
            return Ok(None);
        };
        // A program that does not lock may have written into a file that this start created.
        let created = origin == Origin::Created && stat.size == 0;
        let verdict = match created {
            true => Ok(Verdict::Blank),
            false => self.inspect(file, &stat),
        };
        // The path must still name the locked file. Checked after the recorded process is known to be
        // gone: until then it can remove the file, if it does not lock it.
        let there = sys::unless_removed(sys::stat_path(path));
        let there = there.inspect_err(|_| self.abort(&stat, created));
        let there = there.during("inspect", path)?;
        // NFS can show a removed name, of a file without links, for a moment.
        let Some(there) = there.filter(|there| there.id == stat.id && there.links > 0) else {
            return Ok(None);
        };
        match verdict? {
            Verdict::HeldBySelf => return Ok(None),
            Verdict::Running(pid) => {
                // To wait with the lock would refuse other starts.
                let _ = sys::unlock(file);
                contention::wait_for_exit(self.target, pid, &stat)?;
                return Ok(None);
            }
            _ if created || self.can_write_into(origin, &stat, &there) => {}
            // Another user's start may have created the file, and be about to lock it.
            Verdict::Blank if backoff.is_in_doubt() => return Ok(None),
            Verdict::Blank | Verdict::Stale => return self.replace(&stat).map(|()| None),
        }
        if origin != Origin::Created {
            cleanup::install_handlers(self.target.settings.on_signal);
        }
        let is_filled = self.fill(file, &stat, created)?;
        Ok(is_filled.then_some(stat.id))
    }

    /// Inspects a locked file: which process does it name, and is that alive?
    fn inspect(&self, file: &File, stat: &Stat) -> Result<Verdict> {
        let path = &self.target.path;
        open::check_file_type(path, stat.file_type)?;
        if stat.size == 0 {
            return Ok(Verdict::Blank);
        }
        let record = record::read(file, Some(stat.size)).during("read", path)?;
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
    fn can_write_into(&self, origin: Origin, before: &Stat, now: &Stat) -> bool {
        let owner = self.target.settings.uid.unwrap_or_else(sys::effective_uid);
        // Counted twice: while the kernel removes one of two names, the path can still lead to the
        // file, which already has a link count of one.
        let has_one_name = before.links == 1 && now.links == 1;
        origin != Origin::FoundReadOnly && has_one_name && now.uid == owner
    }

    /// Removes a stale file while it is locked. The next attempt creates another one.
    fn replace(&self, stat: &Stat) -> Result<()> {
        let path = &self.target.path;
        let removed = sys::unless_removed(sys::unlink(path)).map(drop);
        removed.map_err(|error| replace_error(path, stat.uid, error))
    }

    /// Sets mode, owner and record. `false` if the file was removed meanwhile.
    fn fill(&self, file: &File, stat: &Stat, created: bool) -> Result<bool> {
        let path = &self.target.path;
        let changed = set_owner_and_mode(self.target, file, stat);
        let changed = sys::unless_removed(changed).inspect_err(|_| self.abort(stat, created));
        let Some(()) = changed.during("change the owner or mode of", path)? else {
            return Ok(false);
        };
        let written = match self.record {
            Some(pid) => record::write(file, pid, stat.size),
            None => file.set_len(0),
        };
        let written = written.inspect_err(|_| {
            let _ = record::erase(file);
            self.abort(stat, created);
        });
        written.during("write", path).map(|()| true)
    }

    /// Removes a file that this start created but must not keep. It is still locked.
    fn abort(&self, stat: &Stat, created: bool) {
        let path = &self.target.path;
        if created && matches!(sys::path_refers_to(path, stat.id), Ok(true)) {
            let _ = sys::unlink(path);
        }
    }
}

/// Explains why a stale file could not be replaced.
pub(super) fn replace_error(path: &Path, owner: u32, error: io::Error) -> PidFileError {
    let message = format!(
        "cannot replace stale pidfile {} as {}: it belongs to uid {owner} and no process holds it; \
         remove it, or choose another directory with dir = \"...\"",
        quoted(path),
        sys::current_user(),
    );
    PidFileError::system(path, message, error)
}

/// The answer for a file that this process holds: another handle, or a refusal. `None` if it does not.
pub(super) fn held_by_this_process(
    target: &Target,
    process: ProcessInstance,
) -> Result<Option<Handle>> {
    // No file is acquired or released under the table's lock, so the inode at the path cannot have been
    // another file's a moment before.
    let mut table = Table::of(process);
    match sys::stat_path(&target.path) {
        Ok(stat) if target.settings.reentrant => Ok(table.handle(stat.id)),
        Ok(stat) if table.contains(stat.id) => {
            Err(PidFileError::locked(&target.path, Some(process.pid())))
        }
        _ => Ok(None),
    }
}

/// Sets the owner and the mode that were asked for, exactly.
pub(super) fn set_owner_and_mode(target: &Target, file: &File, stat: &Stat) -> io::Result<()> {
    let settings = &target.settings;
    let uid = settings.uid.filter(|&uid| uid != stat.uid);
    let gid = settings.gid.filter(|&gid| gid != stat.gid);
    if uid.is_some() || gid.is_some() {
        sys::set_owner(file, uid, gid)?;
    }
    if stat.mode == settings.marked_mode() {
        return Ok(());
    }
    let is_right = (settings.mode).is_none_or(|mode| stat.mode & 0o777 == mode);
    // FreeBSD keeps the mark for root only.
    let set = sys::set_mode(file, settings.marked_mode());
    match set.or_else(|_| sys::set_mode(file, settings.permissions())) {
        // Only the mark is missing, or a default mode that need not be kept.
        Err(error) if is_right && sys::is_not_kept(&error) => Ok(()),
        result => result,
    }
}
