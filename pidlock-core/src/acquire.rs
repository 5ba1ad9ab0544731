//! The protocol. The kernel's lock is the truth; the text in the file is a hint for people and
//! tools. Who has the lock **and** finds that the path still names the locked file is in.
//!
//! That second look is what makes it safe to remove the file on release: a contender that had
//! opened it before finds that it holds the lock of a file that nobody will open again, and
//! starts over.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use crate::contention::{self, Contention, Patience};
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::Hold;
use crate::opening;
use crate::owner;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::registry::Registry;
use crate::sys::{self, Stat, ThisProcess};
use crate::trust;

/// Every round but the first means that another process made or removed the file in between, so
/// this many in a row is no contention any more but somebody at work on the file.
const ROUNDS: u32 = 1000;

/// How a round went that was no error.
enum Round {
    In(PidGuard),
    /// The path names another file by now, or none: start over.
    Again,
}

/// What the text in a locked file means for who locked it.
enum Verdict {
    /// Nobody's: blank or stale.
    Free,
    /// This very process has the file, by a hold that is not a lock.
    OurOwn(Arc<Hold>),
}

pub(crate) fn acquire(plan: &Plan) -> Result<PidGuard, PidFileError> {
    let me = ThisProcess::current();
    let mut patience = Patience::default();
    for _ in 0..ROUNDS {
        let Some((file, made)) = opening::open_or_make(plan)? else {
            continue;
        };
        match round(plan, me, file, made, &mut patience)? {
            Round::In(guard) => return Ok(guard),
            Round::Again if patience.is_over() => break,
            Round::Again => {}
        }
    }
    Err(PidFileError::gave_up(
        &plan.path,
        "other processes made and removed it again and again meanwhile",
    ))
}

fn round(
    plan: &Plan,
    me: ThisProcess,
    file: File,
    made: bool,
    patience: &mut Patience,
) -> Result<Round, PidFileError> {
    let locked =
        sys::try_lock_exclusive(&file).map_err(|error| cannot_lock(plan, &file, made, error))?;
    if !locked {
        match contention::wait(plan, me, &file, patience)? {
            Contention::Over => {}
            Contention::FileWent => return Ok(Round::Again),
            Contention::OurOwn(hold) => return Ok(Round::In(PidGuard::new(hold))),
        }
    }
    let stat = sys::stat(&file).map_err(|error| PidFileError::io("look at", &plan.path, error))?;
    if !trust::path_names(&plan.path, stat.id)? {
        return Ok(Round::Again);
    }
    if !made {
        trust::check(plan, &stat, 1)?;
    }
    match judge(plan, me, &file, &stat)? {
        Verdict::Free => {}
        Verdict::OurOwn(hold) => return Ok(Round::In(PidGuard::new(hold))),
    }
    let hold = Hold::new(plan.path.clone(), file, stat.id, me, plan.keep);
    match hold.write(plan, &stat) {
        Ok(()) => Ok(Round::In(PidGuard::new(Registry::of(me).enter(hold)))),
        Err(error) => {
            hold.withdraw(made);
            Err(error)
        }
    }
}

/// Reads the old record under the lock.
fn judge(plan: &Plan, me: ThisProcess, file: &File, stat: &Stat) -> Result<Verdict, PidFileError> {
    if stat.size == 0 {
        return Ok(Verdict::Free);
    }
    let record = record::read(file).map_err(|error| PidFileError::io("read", &plan.path, error))?;
    match record {
        Record::Blank => Ok(Verdict::Free),
        Record::NotAPid(reason) => Err(PidFileError::unreadable(&plan.path, reason)),
        Record::Pid(pid) if pid == me.pid() => judge_ourselves(plan, me, stat),
        Record::Pid(pid) if owner::may_have_written(pid, stat.modified) => {
            Err(PidFileError::running(&plan.path, pid))
        }
        Record::Pid(_) => Ok(Verdict::Free),
    }
}

/// The file names our number. That is a predecessor's record where numbers repeat, as PID 1 does
/// in a container that was restarted, unless we know that we wrote it.
fn judge_ourselves(plan: &Plan, me: ThisProcess, stat: &Stat) -> Result<Verdict, PidFileError> {
    let mut registry = Registry::of(me);
    if !registry.holds(stat.id) {
        return Ok(Verdict::Free);
    }
    if !plan.reentrant {
        return Err(PidFileError::running(&plan.path, me.pid()));
    }
    Ok(registry
        .share(stat.id)
        .map_or(Verdict::Free, Verdict::OurOwn))
}

fn cannot_lock(plan: &Plan, file: &File, made: bool, error: io::Error) -> PidFileError {
    // Where nobody can lock, nobody has locked what we just made. After any other error somebody
    // may have, and an empty file does no harm.
    if made && sys::is_unsupported(&error) {
        let ours = sys::stat(file).is_ok_and(|stat| {
            stat.size == 0 && trust::path_names(&plan.path, stat.id).unwrap_or(false)
        });
        if ours {
            let _ = fs::remove_file(&plan.path);
        }
    }
    if sys::is_unsupported(&error) {
        let advice = format!(
            "{error}; its file system has no locks: choose another directory, or lock = false"
        );
        return PidFileError::io("lock", &plan.path, io::Error::new(error.kind(), advice));
    }
    PidFileError::io("lock", &plan.path, error)
}
