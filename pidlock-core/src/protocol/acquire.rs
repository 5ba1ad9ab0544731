//! An attempt to acquire the pidfile. It never blocks, and `wait` decides when to make the next
//! one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

#[cfg(unix)]
use super::adopt;
use super::contention::{self, Backoff, Running, Verdict};
use super::open::{self, OpenFile};
use crate::cleanup::{self, CriticalSection, Handle, Table};
use crate::error::{During, PidFileError, Result, quoted};
use crate::held::HeldFile;
use crate::record;
use crate::settings::Target;
use crate::sys::{self, FileId, ProcessInstance, Stat};
use crate::trace::event;

/// A start makes at least this many attempts, however long they take, because on an overloaded
/// machine a single one can exceed the time limit. Each but the first means that another process
/// created or removed the file meanwhile, or has it open.
const MIN_ATTEMPTS: u32 = 50;

/// A locked file, or another handle to one.
pub(crate) enum Locked {
    /// Acquired by this call. The section lasts until the file is inserted into the table. The PID
    /// is the one in the stale file that was taken over, if there was one.
    Acquired(HeldFile, CriticalSection, Option<u32>),
    /// The table contains the file already: this process acquired it before, has adopted it from a
    /// predecessor, or has acquired it without a lock.
    HeldBySelf(Handle),
}

impl Locked {
    pub(crate) fn into_handle(self) -> Handle {
        let (handle, stale) = match self {
            Self::Acquired(held, section, stale) => (section.insert(held), stale),
            Self::HeldBySelf(handle) => (handle, None),
        };
        if let Some(pid) = stale {
            let reason = || match sys::exists(pid) {
                true => "another process has this PID",
                false => "no process has this PID",
            };
            event!(INFO, &handle.path, pid, "took over a stale file", reason());
        }
        event!(DEBUG, &handle.path, handle.owner.pid(), "acquired");
        handle
    }
}

/// A start that acquires the pidfile in one attempt or several.
pub(crate) struct Start {
    pub(crate) target: Target,
    pub(crate) process: ProcessInstance,
    pub(crate) leaves_record: bool,
    /// The file stays open between two attempts, because to close it would wake this start and
    /// other waiters.
    open: Option<OpenFile>,
    running: Option<Running>,
    /// The PID in a stale file that this start takes over.
    stale: Option<u32>,
    backoff: Backoff,
    attempts: u32,
}

impl Start {
    /// A start that writes its record if `leaves_record` is set, and otherwise leaves the file
    /// blank.
    pub(crate) fn new(target: Target, leaves_record: bool) -> Self {
        Self {
            target,
            process: ProcessInstance::current(),
            leaves_record,
            open: None,
            running: None,
            stale: None,
            backoff: Backoff::default(),
            attempts: 0,
        }
    }

    /// Makes an attempt. Returns an error if another process holds the file, and `Pending` if the
    /// path refers to another file by now, or if it is unclear whether there is a holder. Then the
    /// caller makes the next attempt after `next_pause`.
    pub(crate) fn attempt(&mut self) -> Result<Poll<Locked>> {
        #[cfg(unix)]
        if self.leaves_record {
            if let Some(handle) = adopt::adopt(&self.target, self.process)? {
                return Ok(Poll::Ready(Locked::HeldBySelf(handle)));
            }
        }
        if let Some((held, section)) = self.lock()? {
            let locked = Locked::Acquired(held, section, self.stale);
            return Ok(Poll::Ready(locked));
        }
        let handle = held_by_this_process(&self.target, self.process)?;
        Ok(handle.map_or(Poll::Pending, |it| Poll::Ready(Locked::HeldBySelf(it))))
    }

    /// The pause after an unclear attempt. If `is_limited` is set, returns an error after enough
    /// attempts.
    pub(crate) fn next_pause(&mut self, is_limited: bool) -> Result<Duration> {
        // `contention` decides how long to search for the holder of one file.
        if self.open.is_none() {
            self.attempts += 1;
            if is_limited && self.backoff.timed_out() && self.attempts >= MIN_ATTEMPTS {
                let why = "other processes kept creating and removing it";
                return Err(PidFileError::gave_up(&self.target.path, why));
            }
        }
        Ok(self.backoff.next_pause())
    }

    /// Another program may have the file open. `None` if the start has been retrying for long enough.
    pub(crate) fn outlast_use(&mut self) -> Option<Poll<Locked>> {
        // `next_pause` counts this attempt afterwards.
        let is_over = self.backoff.timed_out() && self.attempts + 1 >= MIN_ATTEMPTS;
        (!is_over).then_some(Poll::Pending)
    }

    /// Prepares the start, which has found a holder, for further attempts. The file stays open if
    /// `stays_open` is set.
    pub(crate) fn outlast_holder(&mut self, stays_open: bool) {
        let held_since = self.backoff.held_since;
        self.backoff = Backoff::default();
        self.backoff.held_since = held_since;
        self.attempts = 0;
        self.open = self.open.take().filter(|_| stays_open);
        if let Some(open) = &mut self.open {
            open.created = false; // the holder may have written into it
        }
    }

    /// Opens, locks and fills the file. `None` if another process created, removed or replaced the
    /// file meanwhile, if this process holds it, or if it is unclear whether there is a holder.
    fn lock(&mut self) -> Result<Option<(HeldFile, CriticalSection)>> {
        if let Some(running) = &self.running {
            if running.is_unclear(&self.target)? {
                return Ok(None);
            }
            self.running = None;
        }
        // Begin the section, in which signals wait, before the file is created. A handler removes
        // only files that are in the table, so a signal between the creation and the entry in the
        // table would leave the file behind.
        let section = CriticalSection::enter(self.process);
        let Some(open) = self.open()? else {
            return Ok(None);
        };
        if !contention::try_lock(&self.target, &open.file)? {
            drop(section);
            let backoff = &mut self.backoff;
            let unclear = contention::is_unclear(&self.target, self.process, &open.file, backoff);
            if !matches!(unclear, Ok(false)) {
                self.open = Some(open);
            }
            return unclear.map(|_| None);
        }
        let settled = self.settle(&open);
        let Ok(Some(id)) = settled else {
            // Unlocked explicitly, because a child that another thread has just forked would keep
            // the lock after the descriptor is closed.
            let _ = sys::unlock(&open.file);
            return settled.map(|_| None);
        };
        let held = HeldFile::new(&self.target, open.file, id, self.process, open.forks);
        Ok(Some((held, section)))
    }

    /// The file of the last attempt, if the path still refers to it. Otherwise opens or creates the
    /// file.
    fn open(&mut self) -> Result<Option<OpenFile>> {
        let path = &self.target.path;
        let is_current = |open: &OpenFile| {
            let stat = sys::stat(&open.file);
            // A child that was forked since the file was opened would share its lock, so open it
            // anew after a fork.
            open.forks == sys::fork_count()
                && stat.is_ok_and(|stat| matches!(sys::path_refers_to(path, stat.id), Ok(true)))
        };
        if let Some(open) = self.open.take().filter(is_current) {
            return Ok(Some(open));
        }
        self.backoff.held_since = None;
        open::open_or_create(&self.target, || self.backoff.is_in_doubt())
    }

    /// Takes over a file that this start has locked, if it is new, blank or stale. `None` if
    /// another attempt is needed.
    fn settle(&mut self, open: &OpenFile) -> Result<Option<FileId>> {
        let (path, file) = (&self.target.path, &open.file);
        let stat = sys::unless_removed(sys::stat(file));
        let Some(stat) = stat.during("inspect", path)? else {
            return Ok(None);
        };
        // A program that does not lock may have written into a file that this start created. Then
        // inspect it like any other.
        let created = open.created && stat.size == 0;
        let verdict = match created {
            true => Ok(Some(Verdict::Blank)),
            false => self.inspect(file, &stat),
        };
        // The path must still refer to the locked file. Checked after the recorded process is known
        // to be gone, because a process that does not lock can remove the file until then.
        let there = sys::unless_removed(sys::stat_path(path));
        let there = there.inspect_err(|_| self.abort(&stat, created));
        let there = there.during("inspect", path)?;
        // After a file was removed, NFS can show its name for a moment, with a link count of 0.
        let Some(there) = there.filter(|there| there.id == stat.id && there.links > 0) else {
            return Ok(None);
        };
        let verdict = verdict?;
        if let Some(Verdict::Stale(pid)) = verdict {
            self.stale = Some(pid);
        }
        match verdict {
            None => return Ok(None),
            Some(Verdict::Running(pid)) => {
                // The next attempts check that process without locking the file, because the lock
                // would refuse other starts.
                let since = Instant::now();
                self.running = Some(Running { pid, stat, since });
                return Ok(None);
            }
            _ if created || open.writable && self.is_own(&stat, &there) => {}
            // Another user's start may have just created the file, and be about to lock it.
            Some(Verdict::Blank) if self.backoff.is_in_doubt() => return Ok(None),
            Some(Verdict::Blank | Verdict::Stale(_)) => {
                // Removed while it is locked. The next attempt creates another one.
                let removed = sys::unless_removed(sys::unlink(path));
                let removed = removed.map_err(|error| replace_error(path, stat.uid, error));
                return removed.map(|_| None);
            }
        }
        if !open.created {
            cleanup::install_handlers(self.target.settings.on_signal);
        }
        let is_filled = self.fill(file, &stat, created)?;
        Ok(is_filled.then_some(stat.id))
    }

    /// Inspects a file that this start has locked: which process does it name, and is that process
    /// alive? `None` if this process holds the file without a kernel lock.
    fn inspect(&self, file: &File, stat: &Stat) -> Result<Option<Verdict>> {
        let path = &self.target.path;
        open::check_file_type(path, stat.file_type)?;
        if stat.size == 0 {
            return Ok(Some(Verdict::Blank));
        }
        let record = record::read(file, Some(stat.size)).during("read", path)?;
        let is_own = record.pid() == Some(self.process.pid());
        if is_own && Table::of(self.process).contains(stat.id) {
            return Ok(None);
        }
        contention::judge(&self.target, path, &record, stat).map(Some)
    }

    /// Returns `true` if a stale file can be filled, so that it need not be replaced by a new one:
    /// the path is its only name, and it belongs to the user that a new file would belong to.
    fn is_own(&self, before: &Stat, now: &Stat) -> bool {
        let owner = self.target.settings.uid.unwrap_or_else(sys::effective_uid);
        // Both counts are checked, because while the kernel removes one of two names, the path can
        // still lead to the file although its link count is already one.
        before.links == 1 && now.links == 1 && now.uid == owner
    }

    /// Sets mode and owner, and writes the record or leaves the file blank. Returns `false` if the
    /// file was removed meanwhile.
    fn fill(&self, file: &File, stat: &Stat, created: bool) -> Result<bool> {
        let path = &self.target.path;
        let changed = set_owner_and_mode(&self.target, file, stat);
        let changed = sys::unless_removed(changed).inspect_err(|_| self.abort(stat, created));
        let Some(()) = changed.during("change the owner or mode of", path)? else {
            return Ok(false);
        };
        let written = match self.leaves_record {
            true => record::write(file, self.process.pid(), stat.size),
            false => file.set_len(0),
        };
        let written = written.inspect_err(|_| {
            let _ = record::erase(file);
            self.abort(stat, created);
        });
        written.during("write", path).map(|()| true)
    }

    /// Removes a file that this start created but must not keep. The file is still locked.
    fn abort(&self, stat: &Stat, created: bool) {
        let path = &self.target.path;
        if created && matches!(sys::path_refers_to(path, stat.id), Ok(true)) {
            let _ = sys::unlink(path);
        }
    }
}

/// Explains why a stale file could not be replaced.
pub(super) fn replace_error(path: &Path, owner: u32, error: io::Error) -> PidFileError {
    let remove = match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => "",
        _ => "remove it, or ",
    };
    let message = format!(
        "cannot replace stale pidfile {} as {}: it belongs to {} and no process holds it; \
         {remove}choose another directory with dir = \"...\"",
        quoted(path),
        sys::current_user(),
        sys::user(owner),
    );
    PidFileError::system(path, message, error)
}

/// Returns another handle to a file that this process holds, or a refusal if it is not reentrant.
/// `None` if this process does not hold the file.
pub(super) fn held_by_this_process(
    target: &Target,
    process: ProcessInstance,
) -> Result<Option<Handle>> {
    // While this thread has locked the table, no other thread inserts or releases a file. So a
    // released file cannot pass its inode number on to the file at the path between the two
    // look-ups.
    let mut table = Table::of(process);
    let reentrant = |id| target.settings.reentrant && !table.is_offered(id);
    match sys::stat_path(&target.path) {
        Ok(stat) if reentrant(stat.id) => Ok(table.handle(stat.id)),
        Ok(stat) if table.contains(stat.id) => {
            Err(PidFileError::locked(&target.path, Some(process.pid())))
        }
        _ => Ok(None),
    }
}

/// Sets exactly the owner and the mode of the settings, whatever the umask is.
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
    // On the BSDs only root can set the mark. For other users the call fails, so set the mode
    // without it.
    let set = sys::set_mode(file, settings.marked_mode());
    match set.or_else(|_| sys::set_mode(file, settings.permissions())) {
        // This error is ignored, because only the mark is missing, or the settings ask for no mode.
        Err(error) if is_right && sys::is_not_kept(&error) => Ok(()),
        result => result,
    }
}
