//! The lock is taken, or the recorded process runs without it: is there a holder, and which one?
//!
//! A lock that is taken does not yet mean a holder. A tool that probes the lock (`pgrep -L`,
//! `PidFile::status`) takes it for a moment, shared, and a start that is inspecting a stale file
//! takes it too. A holder that is starting or exiting is not recorded.

use std::fs::File;
use std::io;
use std::thread;
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

/// Retries until the lock is acquired, or a holder is found, which is an error. `false` if the path
/// refers to another file by now, or this process holds the file. Changes nothing.
pub(super) fn resolve(
    target: &Target,
    process: ProcessInstance,
    file: &File,
    backoff: &mut Backoff,
) -> Result<bool> {
    let path = &target.path;
    let lock_error = |error| lock_error(target, error);
    backoff.held_since = None;
    loop {
        // Before the lock is probed: a thread that leaves its section in between is found as holder.
        let threads_in_progress = CriticalSection::any_in_progress(process);
        let recorded = record::read(file, None).map_or(None, |record| record.pid());
        let stat = sys::unless_removed(sys::stat(file)).during("inspect", path)?;
        let Some(stat) = stat else {
            return Ok(false);
        };
        let held = sys::is_locked(file).map_err(lock_error)?;
        match recorded {
            _ if !held => {}
            // Otherwise another thread is about to insert it, or a process in another PID namespace has
            // the same PID.
            Some(pid) if pid == process.pid() && Table::of(process).contains(stat.id) => {
                return Ok(false);
            }
            Some(pid) if pid != process.pid() && is_holder(pid, &stat) => {
                return Err(PidFileError::locked(path, recorded));
            }
            _ => {}
        }
        if !sys::path_refers_to(path, stat.id).during("inspect", path)? {
            return Ok(false);
        }
        if !backoff.may_retry(held && !threads_in_progress) {
            return Err(PidFileError::locked(path, None));
        }
        backoff.sleep();
        if try_lock(target, file)? {
            return Ok(true);
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

/// Waits until a running process, which does not lock the file, is gone or the path refers to another
/// file. A killed process releases its locks some milliseconds before it is gone.
pub(super) fn wait_for_exit(target: &Target, pid: u32, stat: &Stat) -> Result<()> {
    let deadline = Instant::now() + HOLDER_GRACE;
    while liveness::may_have_written(pid, stat)
        && sys::path_refers_to(&target.path, stat.id).unwrap_or(true)
    {
        if Instant::now() >= deadline {
            return Err(PidFileError::running(&target.path, pid));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
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

/// How long it has been unclear whether there is a holder.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    since: Option<Instant>,
    held_since: Option<Instant>,
    in_doubt_since: Option<Instant>,
    sleeps: u32,
}

impl Backoff {
    /// Returns `true` if the start has been retrying for long enough.
    pub(super) fn timed_out(&mut self) -> bool {
        elapsed(&mut self.since) >= PROBE_GRACE
    }

    /// Returns `true` for some time after the first call: as long as another user's start may take from
    /// creating a file to setting its mode and locking it.
    pub(super) fn is_in_doubt(&mut self) -> bool {
        elapsed(&mut self.in_doubt_since) < HOLDER_GRACE
    }

    /// Sleeps between two attempts if the start is in doubt.
    pub(super) fn pause_in_doubt(&self) {
        if self.in_doubt_since.is_some() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns `true` if another retry is allowed. `held`: by another process, and by no probe.
    fn may_retry(&mut self, held: bool) -> bool {
        if !held {
            self.held_since = None;
        }
        let is_grace_over = held && elapsed(&mut self.held_since) >= HOLDER_GRACE;
        !is_grace_over && !self.timed_out()
    }

    /// Sleeps, longer each time.
    fn sleep(&mut self) {
        self.sleeps += 1;
        thread::sleep(Duration::from_micros(50 << self.sleeps.min(5)));
    }
}

fn elapsed(since: &mut Option<Instant>) -> Duration {
    since.get_or_insert_with(Instant::now).elapsed()
}
