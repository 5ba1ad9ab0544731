//! Somebody has the lock: who, and for how long is it worth looking again?
//!
//! A lock that is taken does not yet mean a holder. A tool that looks whether the file is locked
//! (`pgrep -L`, our own `status`) has it for a moment too, shared; and a holder that is just
//! starting or just leaving has no record that names it.

use std::process;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::cleanup::{Claim, Registry, Share};
use crate::error::PidFileError;
use crate::owner;
use crate::plan::Plan;
use crate::record;
use crate::sys::{self, OpenFile, Stat, ThisProcess};
use crate::trust;

/// How long a holder may take to write its PID, or to remove the file, before it is refused as
/// unknown; and how long a process that was killed may take to be gone.
const HOLDER: Duration = Duration::from_millis(50);

/// How long passing looks may keep a start waiting, one after the other; and threads of its own process
/// that are in the middle of a start or an end, one of which may be the holder.
const PROBES: Duration = Duration::from_secs(1);

/// How it ended, where it is not a refusal.
pub(crate) enum Contention {
    /// The lock is ours.
    Over,
    /// The path names another file by now, or none.
    FileWent,
    /// The holder is this process, and the caller asked for a share.
    OurOwn(Share),
}

/// Waits for the lock while there is doubt whether anybody holds it for good. Changes nothing.
pub(crate) fn wait(
    plan: &Plan<'_>,
    me: ThisProcess,
    file: &OpenFile,
    patience: &mut Patience,
) -> Result<Contention, PidFileError> {
    let cannot_lock = |error| PidFileError::io("lock", plan.path, error);
    patience.new_file();
    loop {
        // Before it is looked for: who is done by then is found.
        let holder_may_take = match Claim::is_anybodys(me) {
            true => PROBES,
            false => HOLDER,
        };
        // What is no text, or cannot be read, names nobody.
        let named = record::read(file, None)
            .ok()
            .and_then(|record| record.pid());
        let held = !sys::try_lock_shared(file).map_err(cannot_lock)?;
        if held {
            match named {
                Some(pid) if pid == me.pid() => {
                    if let Some(hold) = our_own(plan, me, file)? {
                        return Ok(Contention::OurOwn(hold));
                    }
                }
                Some(pid) if owner::can_be_holder(pid, me) => {
                    return Err(PidFileError::locked(plan.path, Some(pid)));
                }
                _ => {}
            }
        } else {
            // Our own look must not be in the way of another start.
            sys::unlock(file).map_err(cannot_lock)?;
        }
        let id = sys::stat(file)
            .map_err(|error| PidFileError::io("look at", plan.path, error))?
            .id();
        if !trust::path_names(plan.path, id)? {
            return Ok(Contention::FileWent);
        }
        if !patience.is_left(held.then_some(holder_may_take)) {
            return Err(PidFileError::locked(plan.path, None));
        }
        patience.pause();
        if sys::try_lock_exclusive(file).map_err(cannot_lock)? {
            return Ok(Contention::Over);
        }
    }
}

/// Whether the process that a file names runs on, although the lock is free. One that was killed
/// gives its locks back a moment before it is gone: some milliseconds on Linux. For a file that is
/// not at its path any more nobody needs to wait, whatever the answer.
pub(crate) fn runs_on(plan: &Plan<'_>, pid: u32, stat: &Stat) -> bool {
    let end = Instant::now() + HOLDER;
    while owner::may_have_written(pid, stat.modified()) {
        let went = || trust::path_names(plan.path, stat.id()).is_ok_and(|is_there| !is_there);
        if Instant::now() >= end || went() {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}

/// The file names our number, and somebody holds it. `None` where that is not us as far as we
/// know: a thread of ours that is about to enter its hold, or a process in another PID namespace.
fn our_own(
    plan: &Plan<'_>,
    me: ThisProcess,
    file: &OpenFile,
) -> Result<Option<Share>, PidFileError> {
    let id = sys::stat(file)
        .map_err(|error| PidFileError::io("look at", plan.path, error))?
        .id();
    let mut registry = Registry::of(me);
    if plan.reentrant {
        // Somebody may have moved it, and another thread of ours have taken it where it is now.
        return match trust::path_names(plan.path, id)? {
            true => Ok(registry.share(id)),
            false => Ok(None),
        };
    }
    if registry.holds(id) {
        return Err(PidFileError::locked(plan.path, Some(me.pid())));
    }
    Ok(None)
}

/// How long there has been doubt.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    since: Option<Instant>,
    held_since: Option<Instant>,
    pauses: u32,
}

impl Patience {
    /// Whether a start that goes round and round has done so for long enough.
    pub(crate) fn is_over(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() >= PROBES
    }

    fn new_file(&mut self) {
        self.held_since = None;
    }

    /// Whether it is left, where somebody holds the file, with a holder who may take so long.
    fn is_left(&mut self, holder_may_take: Option<Duration>) -> bool {
        if self.is_over() {
            return false;
        }
        let Some(may_take) = holder_may_take else {
            self.held_since = None;
            return true;
        };
        self.held_since.get_or_insert_with(Instant::now).elapsed() < may_take
    }

    /// A moment, longer each time and never the same for two who wait, lest they keep meeting.
    fn pause(&mut self) {
        self.pauses += 1;
        let longest = 50 << self.pauses.min(5);
        // Nobody has to be unable to guess it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let scatter = now.map_or(0, |now| now.subsec_nanos()) ^ (process::id() << 8);
        let random = scatter.wrapping_mul(0x9e37_79b9) >> 8;
        thread::sleep(Duration::from_micros(u64::from(random % longest + 1)));
    }
}
