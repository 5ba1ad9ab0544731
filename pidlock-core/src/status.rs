//! A look at a pidfile that changes nothing.

use std::io;

use crate::cleanup::Registry;
use crate::error::PidFileError;
use crate::owner;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, Access, ThisProcess};
use crate::trust;

/// What a look at a pidfile showed, at that moment.
///
/// Python's `pid` has constants for the first four: `PID_CHECK_NOFILE`, `PID_CHECK_EMPTY`,
/// `PID_CHECK_NOTRUNNING` and `PID_CHECK_SAMEPID`; for the others its `check()` raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// There is no file: free.
    NoFile,
    /// The file holds nothing but white space and NULs, and nobody has the lock: free.
    Empty,
    /// The file names a process that is gone, or that cannot be the one that wrote it, and nobody
    /// has the lock: free.
    Stale {
        /// The process that was.
        pid: u32,
    },
    /// This process holds the file.
    HeldBySelf,
    /// The file names a live process that does not have the lock: its program does not lock.
    RunningUnlocked {
        /// The live process.
        pid: u32,
    },
    /// Another process has the lock.
    Locked {
        /// The process that the file names, if that is alive.
        pid: Option<u32>,
    },
}

pub(crate) fn look(plan: &Plan<'_>) -> Result<Status, PidFileError> {
    let file = match sys::open(plan.path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Status::NoFile),
        Err(error) => {
            return Err(
                match sys::stat_path(plan.path)
                    .ok()
                    .and_then(|stat| trust::unfit(stat.kind()))
                {
                    Some(reason) => PidFileError::untrusted(plan.path, reason),
                    None => PidFileError::io("open", plan.path, error),
                },
            );
        }
    };
    let stat = sys::stat(&file).map_err(|error| PidFileError::io("look at", plan.path, error))?;
    if let Some(reason) = trust::unfit(stat.kind()) {
        return Err(PidFileError::untrusted(plan.path, reason));
    }
    let me = ThisProcess::current();
    if Registry::of(me).holds(stat.id()) {
        return Ok(Status::HeldBySelf);
    }
    // Shared, so that two looks do not take each other for a holder, and given back at once: a
    // start that meets it waits for it. Not by closing, which would leave it with a child that
    // another thread has just forked.
    let lockable = |error| PidFileError::io("lock", plan.path, error);
    let locked = plan.lock && !sys::try_lock_shared(&file).map_err(lockable)?;
    let record = record::read(&file, Some(stat.size()));
    if plan.lock && !locked {
        sys::unlock(&file).map_err(lockable)?;
    }
    let record = record.map_err(|error| PidFileError::io("read", plan.path, error))?;
    if locked {
        return Ok(Status::Locked {
            pid: record.pid().filter(|&pid| owner::can_be_holder(pid, me)),
        });
    }
    let alive = |pid| match plan.lock {
        true => owner::may_have_written(pid, stat.modified()),
        false => owner::is_alive(pid),
    };
    match record {
        Record::Blank => Ok(Status::Empty),
        Record::NotAPid(reason) => Err(PidFileError::unreadable(plan.path, reason)),
        // Our number, but not our hold: a predecessor's.
        Record::Pid(pid) if pid == me.pid() || !alive(pid) => Ok(Status::Stale { pid }),
        Record::Pid(pid) => Ok(Status::RunningUnlocked { pid }),
    }
}
