//! The protocol. The kernel's lock is the truth; the text in the file is a hint for people and
//! tools. Who has the lock **and** finds that the path still names the locked file is in.
//!
//! That second look is what makes it safe to remove the file on release: a contender that had
//! opened it before finds that it holds the lock of a file that nobody will open again, and
//! starts over.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::cleanup::Claim;
use crate::contention::{self, Contention, Patience};
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::Hold;
use crate::opening::{self, Opened};
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
    Locked(Locked),
    /// The path names another file by now, or none: start over.
    Again,
}

/// How locking went that was no error.
pub(crate) enum Locked {
    Free(Free),
    /// This process holds the file already, and the plan asks for a share.
    OurOwn(Arc<Hold>),
}

/// A file that is locked, at its path, and nobody's.
pub(crate) struct Free {
    file: File,
    /// As it was found.
    stat: Stat,
    made: bool,
    claim: Claim,
}

/// What a locked file turns out to be.
enum Verdict {
    /// Nobody's: blank or stale. As it was found.
    Free(Stat),
    /// No longer at its path.
    Gone,
    /// This very process has it, by a hold that is not a lock.
    OurOwn(Arc<Hold>),
}

pub(crate) fn acquire(plan: &Plan) -> Result<PidGuard, PidFileError> {
    let me = ThisProcess::current();
    match lock(plan, me)? {
        Locked::OurOwn(hold) => Ok(PidGuard::new(hold)),
        Locked::Free(free) => {
            let (hold, claim) = free.fill(plan, me, Hold::write)?;
            Ok(PidGuard::new(Registry::of(me).enter(hold, plan, &claim)))
        }
    }
}

/// Everything but writing: up to the verdict that the file is free.
pub(crate) fn lock(plan: &Plan, me: ThisProcess) -> Result<Locked, PidFileError> {
    let mut patience = Patience::default();
    for _ in 0..ROUNDS {
        // A file that is just being made has nobody yet who would remove it.
        let claim = Claim::begin(me);
        let Some(opened) = opening::open_or_make(plan, &claim)? else {
            continue;
        };
        match round(plan, me, opened, claim, &mut patience)? {
            Round::Locked(locked) => return Ok(locked),
            Round::Again if patience.is_over() => break,
            Round::Again => {}
        }
    }
    Err(PidFileError::gave_up(
        &plan.path,
        "other processes made and removed it again and again meanwhile",
    ))
}

impl Free {
    /// Gives the file its new contents; if that fails, takes it back.
    pub(crate) fn fill(
        self,
        plan: &Plan,
        me: ThisProcess,
        fill: fn(&Hold, &Plan, &Stat) -> Result<(), PidFileError>,
    ) -> Result<(Hold, Claim), PidFileError> {
        self.claim.arm(plan);
        let hold = Hold::new(plan.path.clone(), self.file, self.stat.id, me, plan.keep);
        match fill(&hold, plan, &self.stat) {
            Ok(()) => Ok((hold, self.claim)),
            Err(error) => {
                hold.withdraw(self.made, &self.claim);
                Err(error)
            }
        }
    }
}

fn round(
    plan: &Plan,
    me: ThisProcess,
    opened: Opened,
    mut claim: Claim,
    patience: &mut Patience,
) -> Result<Round, PidFileError> {
    let file = &opened.file;
    let locked =
        sys::try_lock_exclusive(file).map_err(|error| cannot_lock(plan, &opened, error))?;
    if !locked {
        drop(claim);
        match contention::wait(plan, me, file, patience)? {
            Contention::Over => {}
            Contention::FileWent => return Ok(Round::Again),
            Contention::OurOwn(hold) => return Ok(Round::Locked(Locked::OurOwn(hold))),
        }
        claim = Claim::begin(me);
    }
    let verdict = judge(plan, me, &opened);
    if let Ok(Verdict::Free(stat)) = verdict {
        return Ok(Round::Locked(Locked::Free(Free {
            made: opened.made || stat.is_unfinished(),
            file: opened.file,
            stat,
            claim,
        })));
    }
    if verdict.is_err() {
        take_back(plan, &opened);
    }
    // Closing would do, were it not for a child that another thread has just forked: it would have
    // the lock for as long as it lives.
    let _ = sys::unlock(file);
    match verdict? {
        Verdict::OurOwn(hold) => Ok(Round::Locked(Locked::OurOwn(hold))),
        Verdict::Gone | Verdict::Free(_) => Ok(Round::Again),
    }
}

/// Looks at a locked file: is it the pidfile, may it be written to, and whose is it?
fn judge(plan: &Plan, me: ThisProcess, opened: &Opened) -> Result<Verdict, PidFileError> {
    let file = &opened.file;
    let stat = sys::stat(file).map_err(|error| PidFileError::io("look at", &plan.path, error))?;
    // No links: NFS may show a name for a moment after it went. And between the two looks nothing may
    // have been done to it: a file that somebody links here, takes away and links again would show
    // one name, that of the file that he means to have harmed.
    match trust::at_path(&plan.path)? {
        Some(there) if there.id == stat.id && stat.links > 0 && there.is_as(&stat) => {}
        _ => return Ok(Verdict::Gone),
    }
    match opened.made {
        true => opening::learn_owner(plan, &stat),
        false => trust::check(plan, &plan.path, &stat, 1)?,
    }
    if stat.size == 0 {
        return Ok(Verdict::Free(stat));
    }
    let record = record::read(file, Some(stat.size))
        .map_err(|error| PidFileError::io("read", &plan.path, error))?;
    match record {
        Record::Blank => Ok(Verdict::Free(stat)),
        Record::NotAPid(reason) => Err(PidFileError::unreadable(&plan.path, reason)),
        Record::Pid(pid) if pid == me.pid() => judge_ourselves(plan, me, stat),
        Record::Pid(pid) if contention::runs_on(pid, stat.modified.to_system_time()) => {
            Err(PidFileError::running(&plan.path, pid))
        }
        Record::Pid(_) => Ok(Verdict::Free(stat)),
    }
}

/// The file names our number. That is a predecessor's record where numbers repeat, as PID 1 does
/// in a container that was restarted, unless we know that we wrote it.
fn judge_ourselves(plan: &Plan, me: ThisProcess, stat: Stat) -> Result<Verdict, PidFileError> {
    let mut registry = Registry::of(me);
    if !registry.holds(stat.id) {
        return Ok(Verdict::Free(stat));
    }
    if !plan.reentrant {
        return Err(PidFileError::running(&plan.path, me.pid()));
    }
    Ok(registry
        .share(stat.id)
        .map_or(Verdict::Free(stat), Verdict::OurOwn))
}

fn cannot_lock(plan: &Plan, opened: &Opened, error: io::Error) -> PidFileError {
    // Where nobody can lock, nobody has locked what we just made. After any other error somebody
    // may have, and an empty file does no harm.
    if sys::is_lockless(&error) {
        take_back(plan, opened);
    }
    if sys::cannot_be_locked(&error) {
        let advice = format!(
            "{error}; its file system has no locks: choose another directory, or lock = false"
        );
        return PidFileError::io("lock", &plan.path, io::Error::new(error.kind(), advice));
    }
    PidFileError::io("lock", &plan.path, error)
}

/// Removes the empty file that we made, or another start of this user that has not come further.
fn take_back(plan: &Plan, opened: &Opened) {
    let is_ours_and_there = |stat: Stat| {
        let ours = opened.made || stat.is_unfinished() && stat.uid == sys::effective_uid();
        ours && stat.size == 0 && trust::path_names(&plan.path, stat.id).unwrap_or(false)
    };
    if sys::stat(&opened.file).is_ok_and(is_ours_and_there) {
        let _ = sys::remove(&plan.path);
    }
}
