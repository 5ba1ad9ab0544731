//! Finds the holder of a file whose lock is taken, or whose recorded process runs without the lock.
//!
//! A taken lock does not prove that there is a holder. A tool that probes the lock (`pgrep -L`,
//! `PidFile::status`) takes a shared lock for a moment, and a start that is inspecting a stale file
//! takes the lock, too. Nor does the file always name the holder: one that is starting or exiting
//! is not recorded.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::cleanup::{CriticalSection, Table};
use crate::error::{During, PidFileError, Result};
use crate::liveness;
use crate::record::{self, Record};
use crate::settings::Target;
use crate::sys::{self, ProcessInstance, Stat};

/// How long a holder may take to write its PID or to remove the file, and a killed process to
/// disappear.
pub(crate) const HOLDER_GRACE: Duration = Duration::from_millis(50);

/// How long a start retries because of probes, or because other threads of its own process are
/// acquiring or releasing a file. One of these threads may be the holder. Also how long it retries
/// because another program has the file open, on Windows.
pub(crate) const PROBE_GRACE: Duration = Duration::from_secs(1);

/// Searches for the holder of a file whose lock is taken. Returns an error if another process holds
/// the file, `true` if this process holds it or it is unclear whether there is a holder, and
/// `false` if the path refers to another file by now. Changes nothing.
pub(super) fn is_unclear(
    target: &Target,
    process: ProcessInstance,
    file: &File,
    backoff: &mut Backoff,
) -> Result<bool> {
    let path = &target.path;
    // Checked before the lock is probed, because a thread that leaves its section in between is
    // then found as the holder.
    let threads_in_progress = CriticalSection::any_in_progress(process);
    let recorded = record::read(file, None).map_or(None, |record| record.pid());
    let stat = sys::unless_removed(sys::stat(file)).during("inspect", path)?;
    let Some(stat) = stat else {
        return Ok(false);
    };
    let held = sys::is_locked(file).map_err(|error| lock_error(target, error))?;
    match recorded {
        _ if !held => {}
        // If the table does not contain the file, another thread is about to insert it, or the
        // holder is a process in another PID namespace with the same PID.
        Some(pid) if pid == process.pid() && Table::of(process).contains(stat.id) => {
            return Ok(true);
        }
        Some(pid) if pid != process.pid() && is_holder(pid, &stat) => {
            return Err(PidFileError::locked(path, recorded));
        }
        _ => {}
    }
    if !sys::path_refers_to(path, stat.id).during("inspect", path)? {
        return Ok(false);
    }
    match backoff.may_retry(held && !threads_in_progress) {
        true => Ok(true),
        false => Err(PidFileError::AlreadyLocked {
            path: path.to_path_buf(),
            pid: None,
            waited: None,
            taken_by: sys::lock_taker(&stat),
        }),
    }
}

/// What the record says of a file that no other process has locked.
pub(crate) enum Verdict {
    Blank,
    /// The recorded process is gone.
    Stale(u32),
    /// The recorded process is running, and may have written the file, but does not lock it.
    Running(u32),
}

/// Judges a file that this process does not hold and no other process has locked.
pub(crate) fn judge(target: &Target, path: &Path, record: &Record, file: &Stat) -> Result<Verdict> {
    // This process does not hold the file, so its own PID in it was written by a predecessor: PID 1
    // of a container that was restarted, for example.
    let own = ProcessInstance::current().pid();
    let is_running = |pid| pid != own && is_running(target, pid, file);
    let unreadable = |why: &str| {
        PidFileError::unreadable(path, format!("{why}; remove the file if it is not needed"))
    };
    match *record {
        Record::Blank => Ok(Verdict::Blank),
        Record::Pid(pid) | Record::PidWithMore(pid) if is_running(pid) => Ok(Verdict::Running(pid)),
        Record::Pid(pid) => Ok(Verdict::Stale(pid)),
        Record::PidWithMore(pid) => {
            let why = format!("contains more than the PID of process {pid}, which is gone");
            Err(unreadable(&why))
        }
        Record::Invalid(ref why) => Err(unreadable(why)),
    }
}

/// Returns whether another process has locked the file, and what the file contains. Changes nothing.
pub(crate) fn probe(target: &Target, file: &File) -> Result<(bool, Record)> {
    let (path, lock) = (&target.path, target.settings.lock);
    // The lock is shared, so that two probes do not take each other for a holder. It is released
    // explicitly, because a child that another thread has just forked would keep it after the
    // close.
    let is_locked = lock && !sys::try_lock_shared(file).during("lock", path)?;
    let record = record::read_settled(file);
    if lock && !is_locked {
        sys::unlock(file).during("unlock", path)?;
    }
    match record {
        Err(error) if is_locked && sys::is_denied_by_lock(&error) => Ok((true, Record::Blank)),
        record => Ok((is_locked, record.during("read", path)?)),
    }
}

/// Returns `true` if the recorded process counts as running though it has not locked the file.
/// Without locks (`lock(false)`), times are not compared.
pub(crate) fn is_running(target: &Target, pid: u32, file: &Stat) -> bool {
    match target.settings.lock {
        true => liveness::may_have_written(pid, file),
        false => liveness::is_alive(pid),
    }
}

/// Tries to take the exclusive lock. On NFS that needs write access, but whether the file is locked
/// can be probed without.
pub(super) fn try_lock(target: &Target, file: &File) -> Result<bool> {
    match sys::try_lock_exclusive(file) {
        Err(error)
            if sys::needs_write_access(&error) && matches!(sys::is_locked(file), Ok(true)) =>
        {
            Ok(false)
        }
        // `is_unclear` finds that the path refers to another file.
        Err(error) if sys::is_removed(&error) => Ok(false),
        result => result.map_err(|error| lock_error(target, error)),
    }
}

/// Returns `true` if the recorded process exists, and has the lock as far as can be seen.
fn is_holder(pid: u32, stat: &Stat) -> bool {
    // A record as old as the file is taken to be the holder's. A later one may come from a program
    // that does not lock, so check that the process has the lock. That check is far slower, so it
    // is not always made.
    let is_first =
        |created: SystemTime| stat.modified.is_some_and(|it| it <= created + HOLDER_GRACE);
    match stat.created.is_some_and(is_first) {
        true => sys::exists(pid),
        false => liveness::is_alive(pid) && sys::has_lock(pid, stat) != Some(false),
    }
}

/// A running process that is recorded in a file, but does not lock it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) stat: Stat,
    pub(super) since: Instant,
}

impl Running {
    /// Returns `false` if the process is gone, or the path refers to another file. Returns an error
    /// if the process still runs after `HOLDER_GRACE`, and `true` before, because a killed process
    /// releases its locks some milliseconds before it is gone.
    pub(super) fn is_unclear(&self, target: &Target) -> Result<bool> {
        let is_running = liveness::may_have_written(self.pid, &self.stat)
            && sys::path_refers_to(&target.path, self.stat.id).unwrap_or(true);
        match is_running && self.since.elapsed() >= HOLDER_GRACE {
            true => Err(PidFileError::running(&target.path, self.pid)),
            false => Ok(is_running),
        }
    }
}

fn lock_error(target: &Target, error: io::Error) -> PidFileError {
    if !sys::is_lock_unsupported(&error) && !sys::needs_write_access(&error) {
        return PidFileError::io("lock", &target.path, error);
    }
    let advice = "the file system does not support locks, or only on a file that can be written; choose \
                  another directory or set lock = false";
    let error = io::Error::new(error.kind(), format!("{error}; {advice}"));
    PidFileError::io("lock", &target.path, error)
}

/// How long it has been unclear whether there is a holder, and when to try again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    since: Option<Instant>,
    /// Since when the lock of the open file has been held by an unknown process.
    pub(super) held_since: Option<Instant>,
    in_doubt_since: Option<Instant>,
    retries: u32,
}

impl Backoff {
    /// Returns `true` if the start has been retrying for long enough.
    pub(super) fn timed_out(&mut self) -> bool {
        elapsed(&mut self.since) >= PROBE_GRACE
    }

    /// Returns `true` for `HOLDER_GRACE` after the first call. Another user's start may take that
    /// long from creating a file to setting its mode and locking it.
    pub(super) fn is_in_doubt(&mut self) -> bool {
        elapsed(&mut self.in_doubt_since) < HOLDER_GRACE
    }

    /// Returns `true` if another retry is allowed. `held` means that another process has the lock,
    /// and not as a probe.
    fn may_retry(&mut self, held: bool) -> bool {
        if !held {
            self.held_since = None;
        }
        let is_grace_over = held && elapsed(&mut self.held_since) >= HOLDER_GRACE;
        !is_grace_over && !self.timed_out()
    }

    /// The pause before the next attempt. It grows with each unclear attempt.
    pub(super) fn next_pause(&mut self) -> Duration {
        self.retries += 1;
        Duration::from_micros(50 << self.retries.min(5))
    }
}

fn elapsed(since: &mut Option<Instant>) -> Duration {
    since.get_or_insert_with(Instant::now).elapsed()
}
