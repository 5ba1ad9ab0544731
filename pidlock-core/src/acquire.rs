//! The protocol. The kernel's lock is the truth; the text in the file is a hint for people and
//! tools. Who has the lock **and** finds that the path still names the locked file is in.
//!
//! That second look is what makes it safe to remove the file on release: a contender that had
//! opened it before finds that it holds the lock of a file that nobody will open again, and
//! starts over.

use std::io;

use crate::cleanup::{Claim, Registry, Share};
use crate::contention::{self, Contention, Patience};
use crate::contents;
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::{Hold, Marked};
use crate::opening::{self, Opened, Origin, Way};
use crate::plan::Plan;
use crate::record::{self, Record, Text};
use crate::sys::{self, OpenFile, Stat, ThisProcess};
use crate::trust;

/// Every round but the first means that another process made or removed the file in between, so
/// this many in a row is no contention any more but somebody at work on the file.
const ROUNDS: u32 = 1000;

/// And so many may take as long as they do: where there is more to do than processors can, one round
/// can last as long as otherwise a thousand, and in each of them somebody got further.
const UNHURRIED: u32 = 50;

/// What a file is locked for.
pub(crate) trait Purpose {
    /// Gives the file its new contents; `found` is what it was before.
    fn fill(
        &self,
        plan: &Plan<'_>,
        file: &OpenFile,
        found: &Stat,
        text: &Text,
    ) -> Result<(), PidFileError>;

    /// What becomes of it then.
    fn take(&mut self, plan: &Plan<'_>, me: ThisProcess, claim: Claim, file: Marked);

    /// The same where this process holds the file already, and the plan asks for a share.
    fn share(&mut self, plan: &Plan<'_>, share: Share) -> Result<(), PidFileError>;
}

/// To hold it.
impl Purpose for Option<PidGuard> {
    #[inline(always)] // see `lock`
    fn fill(
        &self,
        plan: &Plan<'_>,
        file: &OpenFile,
        found: &Stat,
        text: &Text,
    ) -> Result<(), PidFileError> {
        contents::write(plan, file, found, text)
    }

    #[inline(always)] // likewise
    fn take(&mut self, plan: &Plan<'_>, me: ThisProcess, claim: Claim, file: Marked) {
        let share = claim.enter(plan, || Hold::new(plan, file, me));
        *self = Some(PidGuard::new(share));
    }

    fn share(&mut self, _: &Plan<'_>, share: Share) -> Result<(), PidFileError> {
        *self = Some(PidGuard::new(share));
        Ok(())
    }
}

#[inline]
pub(crate) fn acquire(plan: &Plan<'_>) -> Result<PidGuard, PidFileError> {
    let mut guard = None;
    lock(plan, ThisProcess::current(), &mut guard)?;
    Ok(guard.expect("a file that was locked was taken"))
}

/// Locks the file, if it is free, has it filled, and hands it over.
#[inline(always)] // what it does each time is little, and what it hands over is much
pub(crate) fn lock(
    plan: &Plan<'_>,
    me: ThisProcess,
    purpose: &mut impl Purpose,
) -> Result<(), PidFileError> {
    let mut rounds = Rounds::default();
    match round(plan, me, purpose, &mut rounds)? {
        Round::Done => Ok(()),
        Round::Again => go_round(plan, me, purpose, rounds),
    }
}

#[cold]
fn go_round(
    plan: &Plan<'_>,
    me: ThisProcess,
    purpose: &mut impl Purpose,
    mut rounds: Rounds,
) -> Result<(), PidFileError> {
    while rounds.are_left() {
        match round(plan, me, purpose, &mut rounds)? {
            Round::Done => return Ok(()),
            Round::Again => {}
        }
    }
    Err(PidFileError::gave_up(
        plan.path,
        "other processes made and removed it again and again meanwhile",
    ))
}

/// How a round ended that was no error.
enum Round {
    Done,
    /// The file went, or came, in between.
    Again,
}

/// How often and how long a start has tried, and how it goes about it.
#[derive(Default)]
struct Rounds {
    gone: u32,
    way: Way,
    patience: Option<Patience>,
}

impl Rounds {
    fn are_left(&mut self) -> bool {
        self.gone += 1;
        let is_late = self.patience.get_or_insert_default().is_over();
        self.gone < if is_late { UNHURRIED } else { ROUNDS }
    }
}

/// Goes once through it.
#[inline(always)] // see `lock`
fn round(
    plan: &Plan<'_>,
    me: ThisProcess,
    purpose: &mut impl Purpose,
    rounds: &mut Rounds,
) -> Result<Round, PidFileError> {
    // A file that is just being made has nobody yet who would remove it.
    let mut claim = Claim::begin(me);
    let Some(opened) = opening::open_or_make(plan, &claim, rounds.way)? else {
        return Ok(Round::Again);
    };
    let locked =
        sys::try_lock_exclusive(&opened.file).map_err(|error| cannot_lock(plan, &opened, error))?;
    if !locked {
        drop(claim);
        match contention::wait(
            plan,
            me,
            &opened.file,
            rounds.patience.get_or_insert_default(),
        )? {
            Contention::Over => {}
            Contention::FileWent => return Ok(Round::Again),
            Contention::OurOwn(ours) => return purpose.share(plan, ours).map(|()| Round::Done),
        }
        claim = Claim::begin(me);
    }
    let found = sys::stat(&opened.file)
        .map_err(|error| let_go(plan, &opened, PidFileError::io("look at", plan.path, error)))?;
    if !is_new_and_there(plan, &opened, &found) {
        match judge(plan, me, rounds, &opened, &found)? {
            Verdict::Free => {}
            Verdict::Gone => return Ok(Round::Again),
            Verdict::OurOwn(ours) => return purpose.share(plan, ours).map(|()| Round::Done),
        }
    }
    claim.arm(plan);
    if let Err(error) = purpose.fill(plan, &opened.file, &found, claim.text()) {
        return Err(withdraw(plan, me, opened, &found, error));
    }
    let file = Marked::new(opened.file, found.id());
    purpose.take(plan, me, claim, file);
    Ok(Round::Done)
}

/// Whether a locked file is empty, ours, and the pidfile, on a quick look. A no means nothing.
#[inline]
fn is_new_and_there(plan: &Plan<'_>, opened: &Opened, found: &Stat) -> bool {
    // Who we are is asked once, and that is when the first file is made.
    let is_safe = trust::is_plainly_ours(plan, found, 1) && found.mode() & OTHERS_WRITE == 0;
    let is_new = found.size() == 0 && (is_safe || opened.origin == Origin::Made);
    is_new && found.links() > 0 && sys::shows(plan.path, found).unwrap_or(false)
}

const OTHERS_WRITE: u32 = 0o022;

/// What a locked file turns out to be.
enum Verdict {
    /// Nobody's: blank or stale.
    Free,
    /// No longer at its path, and unlocked.
    Gone,
    /// This very process has it, by a hold that is not a lock.
    OurOwn(Share),
}

/// Looks at a locked file: whose is it, may it be written to, and is it the pidfile?
#[inline(never)] // most files are new
fn judge(
    plan: &Plan<'_>,
    me: ThisProcess,
    rounds: &mut Rounds,
    opened: &Opened,
    found: &Stat,
) -> Result<Verdict, PidFileError> {
    // Before the path is looked at: who holds the file without a lock can remove it for as long as he
    // lives, or is in the table.
    let named = whom_it_names(plan, me, opened, found);
    let verdict = match is_at_path(plan, opened, found) {
        Ok(true) => named.and_then(|named| follow(plan, me, found, named)),
        Ok(false) => Ok(Verdict::Gone),
        Err(error) => Err(error),
    };
    match verdict {
        Ok(Verdict::Free) => {}
        Ok(Verdict::Gone | Verdict::OurOwn(_)) => unlock(opened),
        Err(_) if removed_to_be_sure(plan, opened, found) => {
            unlock(opened);
            rounds.way = Way::Sure;
            return Ok(Verdict::Gone);
        }
        Err(error) => return Err(let_go(plan, opened, error)),
    }
    verdict
}

/// Some file systems give what we make to another user: NFS to nobody what root makes, FAT all to one.
/// Then an empty file of his can be ours, or one that he put in our way. One that we make in its place
/// and know to be new is ours. Removed while it is locked, as ever.
#[cold]
fn removed_to_be_sure(plan: &Plan<'_>, opened: &Opened, found: &Stat) -> bool {
    let is_perhaps_ours = || match sys::owner_of_new_files(plan.directory()) {
        Some(owner) => found.is_unfinished() && owner == found.uid(),
        None => opening::is_as_made_here(plan, found),
    };
    let is_there = || sys::shows(plan.path, found).unwrap_or(false);
    opened.origin == Origin::MadeOrFound
        && !trust::is_ours(plan, found.uid())
        && is_perhaps_ours()
        && is_there()
        && sys::remove(plan.path).is_ok()
}

/// Whom the record of a locked file names.
enum Named {
    /// Nobody, or nobody any more.
    Nobody,
    Running(u32),
    /// This process, which has it by a hold that is not a lock.
    Ourselves,
}

fn follow(
    plan: &Plan<'_>,
    me: ThisProcess,
    found: &Stat,
    named: Named,
) -> Result<Verdict, PidFileError> {
    match named {
        Named::Nobody => Ok(Verdict::Free),
        Named::Running(pid) => Err(PidFileError::running(plan.path, pid)),
        Named::Ourselves if !plan.reentrant => Err(PidFileError::running(plan.path, me.pid())),
        Named::Ourselves => Ok(Registry::of(me)
            .share(found.id())
            .map_or(Verdict::Gone, Verdict::OurOwn)),
    }
}

/// Whether the path still names it.
fn is_at_path(plan: &Plan<'_>, opened: &Opened, found: &Stat) -> Result<bool, PidFileError> {
    // No links: NFS may show a name for a moment after it went. And between the two looks nothing may
    // have been done to it: a file that somebody links here, takes away and links again would show
    // one name, that of the file that he means to have harmed.
    match sys::shows(plan.path, found) {
        Ok(true) if found.links() > 0 => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PidFileError::io("look at", plan.path, error));
        }
        _ => return Ok(false),
    }
    // Those who may write to a file may link it anywhere (fs.protected_hardlinks, proc_sys_fs(5)). While
    // they take such a link away there is an instant with one name less and the old time; who looks again
    // when they are done finds nothing.
    if opened.origin == Origin::Made || found.mode() & OTHERS_WRITE == 0 {
        return Ok(true);
    }
    sys::wait_for_changes_of_directory(plan.path);
    Ok(sys::shows(plan.path, found).unwrap_or(false))
}

/// An error if the file is not to be trusted, whomever it names.
fn whom_it_names(
    plan: &Plan<'_>,
    me: ThisProcess,
    opened: &Opened,
    found: &Stat,
) -> Result<Named, PidFileError> {
    if opened.origin != Origin::Made {
        trust::check(plan, plan.path, found, 1)?;
    }
    if found.size() == 0 {
        return Ok(Named::Nobody);
    }
    let record = record::read(&opened.file, Some(found.size()))
        .map_err(|error| PidFileError::io("read", plan.path, error))?;
    match record {
        Record::Blank => Ok(Named::Nobody),
        Record::NotAPid(reason) => Err(PidFileError::unreadable(plan.path, reason)),
        // Our number is a predecessor's record where numbers repeat, as PID 1 does in a container that
        // was restarted, unless we know that we wrote it.
        Record::Pid(pid) if pid == me.pid() => match Registry::of(me).holds(found.id()) {
            true => Ok(Named::Ourselves),
            false => Ok(Named::Nobody),
        },
        Record::Pid(pid) => match contention::runs_on(plan, pid, found) {
            true => Ok(Named::Running(pid)),
            false => Ok(Named::Nobody),
        },
    }
}

/// Takes back what could not be filled.
#[cold]
fn withdraw(
    plan: &Plan<'_>,
    me: ThisProcess,
    opened: Opened,
    found: &Stat,
    error: PidFileError,
) -> PidFileError {
    let made = opened.origin == Origin::Made || found.is_unfinished();
    Hold::new(plan, Marked::new(opened.file, found.id()), me).withdraw(made);
    error
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
        let ours = opened.origin == Origin::Made
            || stat.is_unfinished() && sys::is_effective_uid(stat.uid());
        ours && stat.size() == 0 && trust::path_names(plan.path, stat.id()).unwrap_or(false)
    };
    if sys::stat(&opened.file).is_ok_and(is_ours_and_there) {
        let _ = sys::remove(plan.path);
    }
}
