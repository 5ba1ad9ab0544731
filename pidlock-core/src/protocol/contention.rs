//! The lock is taken, or the recorded process runs without it: is there a holder, and which one?
//!
//! A lock that is taken does not yet mean a holder. A tool that probes the lock (`pgrep -L`,
//! `PidFile::status`) takes it for a moment, shared, and a start that is inspecting a stale file
//! takes it too. A holder that is starting or exiting is not recorded.

use std::fs::File;
use std::io;
use std::mem;
use std::time::{Duration, Instant, SystemTime};

use crate::cleanup::{CriticalSection, Table};
use crate::error::{During, PidFileError, Result};
use crate::liveness;
use crate::record;
use crate::settings::Target;
use crate::sys::{self, ProcessInstance, Stat};

/// How long a holder may take to write its PID or to remove the file, and a killed process to
/// disappear.
const HOLDER_GRACE: Duration = Duration::from_millis(50);

/// How long a start is delayed by probes, and by other threads of its own process that are acquiring
/// or releasing, one of which may be the holder.
const PROBE_GRACE: Duration = Duration::from_secs(1);

/// Looks for the holder of a file whose lock is taken. Another process that holds it is an error. `true`
/// if it is unclear whether there is a holder, or it is this process; `false` if the path refers to
/// another file by now. Changes nothing.
pub(super) fn is_unclear(
    target: &Target,
    process: ProcessInstance,
    file: &File,
    backoff: &mut Backoff,
) -> Result<bool> {
    let path = &target.path;
    // Before the lock is probed: a thread that leaves its section in between is found as holder.
    let threads_in_progress = CriticalSection::any_in_progress(process);
    let recorded = record::read(file, None).map_or(None, |record| record.pid());
    let stat = sys::unless_removed(sys::stat(file)).during("inspect", path)?;
    let Some(stat) = stat else {
        return Ok(false);
    };
    let held = sys::is_locked(file).map_err(|error| lock_error(target, error))?;
    match recorded {
        _ if !held => {}
        // Otherwise another thread is about to insert it, or a process in another PID namespace has
        // the same PID.
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
        false => {
            let taken_by = sys::lock_taker(&stat);
            Err(PidFileError::locked_by_unknown(path, taken_by))
        }
    }
}

/// Tries to take the exclusive lock. On NFS that needs write access, but a holder is visible without.
pub(super) fn try_lock(target: &Target, file: &File) -> Result<bool> {
    match sys::try_lock_exclusive(file) {
        Err(error)
            if sys::needs_write_access(&error) && matches!(sys::is_locked(file), Ok(true)) =>
        {
            Ok(false)
        }
        result => result.map_err(|error| lock_error(target, error)),
    }
}

/// Returns `true` if the recorded process exists, and has the lock as far as can be seen.
fn is_holder(pid: u32, stat: &Stat) -> bool {
    // A record as old as the file is taken to be the holder's. A later one may come from a program that
    // does not lock, so the process must have the lock. That check is far slower.
    let is_first =
        |created: SystemTime| stat.modified.is_some_and(|it| it <= created + HOLDER_GRACE);
    match stat.created.is_some_and(is_first) {
        true => sys::exists(pid),
        false => liveness::is_alive(pid) && sys::is_holder(pid, stat) != Some(false),
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
    /// Returns `false` if the process is gone, or the path refers to another file. A process that stays
    /// is an error: a killed one releases its locks some milliseconds before it is gone.
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
    held_since: Option<Instant>,
    in_doubt_since: Option<Instant>,
    retries: u32,
    pause: Duration,
}

impl Backoff {
    /// Returns `true` if the start has been retrying for long enough.
    pub(super) fn timed_out(&mut self) -> bool {
        elapsed(&mut self.since) >= PROBE_GRACE
    }

    /// Returns `true` for some time after the first call: as long as another user's start may take from
    /// creating a file to setting its mode and locking it.
    pub(super) fn is_in_doubt(&mut self) -> bool {
        self.retry_soon();
        elapsed(&mut self.in_doubt_since) < HOLDER_GRACE
    }

    pub(super) fn retry_soon(&mut self) {
        self.pause = Duration::from_millis(1);
    }

    /// The start has opened another file.
    pub(super) fn reset_holder(&mut self) {
        self.held_since = None;
    }

    /// A holder was found. The next one gets as much time, but for the lock of this file.
    pub(super) fn reset_doubt(&mut self) {
        let held_since = self.held_since;
        *self = Self {
            held_since,
            ..Self::default()
        };
    }

    /// Returns `true` if another retry is allowed. `held`: by another process, and by no probe.
    fn may_retry(&mut self, held: bool) -> bool {
        if !held {
            self.held_since = None;
        }
        self.retries += 1;
        self.pause = Duration::from_micros(50 << self.retries.min(5));
        let is_grace_over = held && elapsed(&mut self.held_since) >= HOLDER_GRACE;
        !is_grace_over && !self.timed_out()
    }

    /// The time until the next attempt, longer each time that it is unclear whether there is a holder.
    pub(super) fn take_pause(&mut self) -> Duration {
        mem::take(&mut self.pause)
    }
}

fn elapsed(since: &mut Option<Instant>) -> Duration {
    since.get_or_insert_with(Instant::now).elapsed()
}
