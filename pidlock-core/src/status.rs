//! Inspects a pidfile without changing it.

use std::fs::File;
use std::io;

use crate::cleanup::Table;
use crate::error::{During, PidFileError};
use crate::liveness;
use crate::protocol::open;
use crate::record::{self, Record};
use crate::settings::Target;
use crate::sys::{self, ProcessInstance};

/// What a pidfile was found to be, at that moment.
///
/// Python's `pid` has constants for the first four: `PID_CHECK_NOFILE`, `PID_CHECK_EMPTY`,
/// `PID_CHECK_NOTRUNNING` and `PID_CHECK_SAMEPID`. For the others its `check()` raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// There is no file.
    NoFile,
    /// The file is empty or contains only white space and NULs, and is not locked.
    Empty,
    /// The file names a process that is gone, or that cannot have written it, and is not locked.
    Stale {
        /// The recorded process.
        pid: u32,
    },
    /// This process holds the file.
    HeldBySelf,
    /// The file names a running process that does not hold the lock.
    RunningUnlocked {
        /// The recorded process.
        pid: u32,
    },
    /// Another process holds the lock.
    Locked {
        /// The recorded process, if it exists.
        pid: Option<u32>,
    },
}

pub(crate) fn inspect(target: &Target) -> Result<Status, PidFileError> {
    let path = &target.path;
    let lock = target.settings.lock;
    let Some((file, stat)) = open::open_existing(target, path)? else {
        return Ok(Status::NoFile);
    };
    let process = ProcessInstance::current();
    if Table::of(process).contains(stat.id) {
        return Ok(Status::HeldBySelf);
    }
    // Shared, so that two probes do not take each other for a holder, and unlocked explicitly: a child
    // that another thread has just forked would keep the lock.
    let is_locked = lock && !sys::try_lock_shared(&file).during("lock", path)?;
    let record = read_settled(&file);
    if lock && !is_locked {
        sys::unlock(&file).during("unlock", path)?;
    }
    let record = record.during("read", path)?;
    if is_locked {
        let is_other = |&pid: &u32| pid != process.pid() && sys::exists(pid);
        return Ok(Status::Locked {
            pid: record.pid().filter(is_other),
        });
    }
    let is_running = |pid| match lock {
        true => liveness::may_have_written(pid, &stat),
        false => liveness::is_alive(pid),
    };
    match record {
        Record::Blank => Ok(Status::Empty),
        Record::Invalid(reason) => Err(PidFileError::unreadable(path, reason)),
        // This process's own PID, which it does not hold, was written by a predecessor.
        Record::Pid(pid) | Record::PidWithMore(pid) if pid != process.pid() && is_running(pid) => {
            Ok(Status::RunningUnlocked { pid })
        }
        Record::Pid(pid) => Ok(Status::Stale { pid }),
        Record::PidWithMore(pid) => Err(PidFileError::has_more(path, pid)),
    }
}

/// Reads until two reads agree. A single one can see the old and the new record mixed.
fn read_settled(file: &File) -> io::Result<Record> {
    const MAX_READS: u32 = 10;
    let mut record = record::read(file, None)?;
    for _ in 1..MAX_READS {
        let again = record::read(file, None)?;
        if again == record {
            break;
        }
        record = again;
    }
    Ok(record)
}
