//! The protocol. The kernel's lock is the truth; the text in the file is a hint for people and
//! tools. Who has the lock **and** finds that the path still names the locked file is in.
//!
//! That second look is what makes it safe to remove the file on release: a contender that had
//! opened it before finds that it holds the lock of a file that nobody will open again, and
//! starts over.

use std::io;

use crate::cleanup::{Claim, Registry, Share};
use crate::contention::{self, Contention, Patience};
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::Hold;
use crate::opening::{self, Opened};
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::sys::{self, Stat, ThisProcess};
use crate::trust;

/// Every round but the first means that another process made or removed the file in between, so
/// this many in a row is no contention any more but somebody at work on the file.
const ROUNDS: u32 = 1000;

/// And so many may take as long as they do: where there is more to do than processors can, one round
/// can last as long as otherwise a thousand, and in each of them somebody got further.
const UNHURRIED: u32 = 50;

/// How locking went that was no error.
pub(crate) enum Locked {
    /// The file is locked, at its path, nobody else's, and has its new contents.
    New(Claim),
    /// This process holds the file already, and the plan asks for a share.
    OurOwn(Share),
}

/// What a locked file turns out to be.
enum Verdict {
    /// Nobody's: blank or stale.
    Free,
    /// No longer at its path.
    Gone,
    /// This very process has it, by a hold that is not a lock.
    OurOwn(Share),
}

pub(crate) fn acquire(plan: &Plan<'_>) -> Result<PidGuard, PidFileError> {
    let mut hold = None;
    match lock(plan, ThisProcess::current(), Hold::write, &mut hold)? {
        Locked::New(claim) => Ok(PidGuard::new(claim.enter(&mut hold, plan))),
        Locked::OurOwn(share) => Ok(PidGuard::new(share)),
    }
}

/// How a file gets its new contents; `found` is what it was before.
type Fill = fn(&Hold, &Plan<'_>, found: &Stat) -> Result<(), PidFileError>;

/// Locks the file, if it is free, and has it filled. A new hold is put into `new`: it is too large to
/// be handed on from one to the next.
pub(crate) fn lock(
    plan: &Plan<'_>,
    me: ThisProcess,
    fill: Fill,
    new: &mut Option<Hold>,
) -> Result<Locked, PidFileError> {
    let mut patience = Patience::default();
    for round in 0..ROUNDS {
        // A file that is just being made has nobody yet who would remove it.
        let mut claim = Claim::begin(me);
        let Some(opened) = opening::open_or_make(plan, &claim)? else {
            continue;
        };
        let locked = sys::try_lock_exclusive(&opened.file)
            .map_err(|error| cannot_lock(plan, &opened, error))?;
        if !locked {
            drop(claim);
            match contention::wait(plan, me, &opened.file, &mut patience)? {
                Contention::Over => {}
                Contention::FileWent if patience.is_over() && round >= UNHURRIED => break,
                Contention::FileWent => continue,
                Contention::OurOwn(share) => return Ok(Locked::OurOwn(share)),
            }
            claim = Claim::begin(me);
        }
        let stat = sys::stat(&opened.file).map_err(|error| {
            let_go(plan, &opened, PidFileError::io("look at", plan.path, error))
        })?;
        match judge(plan, me, &opened, &stat).map_err(|error| let_go(plan, &opened, error))? {
            Verdict::Free => {
                claim.arm(plan);
                let made = opened.made || stat.is_unfinished();
                let hold = new.insert(Hold::new(plan, opened.file, stat.id, me));
                if let Err(error) = fill(hold, plan, &stat) {
                    hold.withdraw(made);
                    return Err(error);
                }
                return Ok(Locked::New(claim));
            }
            Verdict::Gone => {
                unlock(&opened);
                if patience.is_over() && round >= UNHURRIED {
                    break;
                }
            }
            Verdict::OurOwn(share) => {
                unlock(&opened);
                return Ok(Locked::OurOwn(share));
            }
        }
    }
    Err(PidFileError::gave_up(
        plan.path,
        "other processes made and removed it again and again meanwhile",
    ))
}

/// Whom the record of a locked file names.
enum Named {
    /// Nobody, or nobody any more.
    Nobody,
    Running(u32),
    /// This process, which has it by a hold that is not a lock.
    Ourselves,
}

/// Looks at a locked file: whose is it, may it be written to, and is it the pidfile?
fn judge(
    plan: &Plan<'_>,
    me: ThisProcess,
    opened: &Opened,
    stat: &Stat,
) -> Result<Verdict, PidFileError> {
    // Before the path is looked at: who holds the file without a lock can remove it for as long as he
    // lives, or is in the table.
    let named = whom_it_names(plan, me, opened, stat);
    // No links: NFS may show a name for a moment after it went. And between the two looks nothing may
    // have been done to it: a file that somebody links here, takes away and links again would show
    // one name, that of the file that he means to have harmed.
    match sys::shows(plan.path, stat) {
        Ok(true) if stat.links > 0 => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PidFileError::io("look at", plan.path, error));
        }
        _ => return Ok(Verdict::Gone),
    }
    // Those who may write to a file may link it anywhere (fs.protected_hardlinks, proc_sys_fs(5)). While
    // they take such a link away there is an instant with one name less and the old time; who looks again
    // when they are done finds nothing.
    const OTHERS_WRITE: u32 = 0o022;
    if !opened.made && stat.mode & OTHERS_WRITE != 0 {
        sys::wait_for_changes_of_directory(plan.path);
        if !sys::shows(plan.path, stat).unwrap_or(false) {
            return Ok(Verdict::Gone);
        }
    }
    match named? {
        Named::Nobody => Ok(Verdict::Free),
        Named::Running(pid) => Err(PidFileError::running(plan.path, pid)),
        Named::Ourselves if !plan.reentrant => Err(PidFileError::running(plan.path, me.pid())),
        Named::Ourselves => Ok(Registry::of(me)
            .share(stat.id)
            .map_or(Verdict::Gone, Verdict::OurOwn)),
    }
}

/// An error if the file is not to be trusted, whomever it names.
#[inline]
fn whom_it_names(
    plan: &Plan<'_>,
    me: ThisProcess,
    opened: &Opened,
    stat: &Stat,
) -> Result<Named, PidFileError> {
    match opened.made {
        true => opening::learn_owner(plan, stat),
        false => trust::check(plan, plan.path, stat, 1)?,
    }
    match stat.size {
        0 => Ok(Named::Nobody),
        _ => read_whom_it_names(plan, me, opened, stat),
    }
}

fn read_whom_it_names(
    plan: &Plan<'_>,
    me: ThisProcess,
    opened: &Opened,
    stat: &Stat,
) -> Result<Named, PidFileError> {
    let record = record::read(&opened.file, Some(stat.size))
        .map_err(|error| PidFileError::io("read", plan.path, error))?;
    match record {
        Record::Blank => Ok(Named::Nobody),
        Record::NotAPid(reason) => Err(PidFileError::unreadable(plan.path, reason)),
        // Our number is a predecessor's record where numbers repeat, as PID 1 does in a container that
        // was restarted, unless we know that we wrote it.
        Record::Pid(pid) if pid == me.pid() => match Registry::of(me).holds(stat.id) {
            true => Ok(Named::Ourselves),
            false => Ok(Named::Nobody),
        },
        Record::Pid(pid) => match contention::runs_on(plan, pid, stat) {
            true => Ok(Named::Running(pid)),
            false => Ok(Named::Nobody),
        },
    }
}

/// What the error is about is not ours to hold.
#[cold]
fn let_go(plan: &Plan<'_>, opened: &Opened, error: PidFileError) -> PidFileError {
    take_back(plan, opened);
    unlock(opened);
    error
}

/// Closing would do, were it not for a child that another thread has just forked: it would have the
/// lock for as long as it lives.
fn unlock(opened: &Opened) {
    let _ = sys::unlock(&opened.file);
}

fn cannot_lock(plan: &Plan<'_>, opened: &Opened, error: io::Error) -> PidFileError {
    // Where nobody can lock, nobody has locked what we just made. After any other error somebody
    // may have, and an empty file does no harm.
    if sys::is_lockless(&error) {
        take_back(plan, opened);
    }
    if sys::cannot_be_locked(&error) {
        let advice = format!(
            "{error}; its file system has no locks: choose another directory, or lock = false"
        );
        return PidFileError::io("lock", plan.path, io::Error::new(error.kind(), advice));
    }
    PidFileError::io("lock", plan.path, error)
}

/// Removes the empty file that we made, or another start of this user that has not come further.
fn take_back(plan: &Plan<'_>, opened: &Opened) {
    let is_ours_and_there = |stat: Stat| {
        let ours = opened.made || stat.is_unfinished() && stat.uid == sys::effective_uid();
        ours && stat.size == 0 && trust::path_names(plan.path, stat.id).unwrap_or(false)
    };
    if sys::stat(&opened.file).is_ok_and(is_ours_and_there) {
        let _ = sys::remove(plan.path);
    }
}
