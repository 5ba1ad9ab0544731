//! The protocol for file systems without locks: the PID in the file is all there is.
//!
//! To take a name: link a private file that already holds our record to it, which one process at
//! a time can. A stale name cannot simply be removed or replaced: between the look that found it
//! stale and the removal, another may have taken it. So who wants to replace it takes a second
//! name first, by the same rule, and looks again; should the process that has the second name
//! die, its name is stale in turn, and replaced by way of a third.
//!
//! The names: `app.pid` is level 0, `app.pid.t1` level 1, and so on. An exhaustive search over up
//! to four processes, with a crash possible at every step, found no way for two to be in.

use std::fs;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::beside::{owner_of_private_name, private_name, public_name};
use crate::cleanup::{Claim, Registry, Share};
use crate::contents;
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::{Hold, Marked};
use crate::opening;
use crate::owner;
use crate::plan::Plan;
use crate::record::{self, Record, Text};
use crate::sys::{self, Access, FullPath, Identity, OpenFile, PerProcess, ThisProcess};
use crate::trust;

/// Each level but the first belongs to a process that died while it replaced the one below. All go
/// with the next start that replaces a stale file; beside a free name they do no harm, and cannot
/// be removed safely.
const LEVELS: usize = 500;

/// Each round but a few means that another process took or left a name in between.
const ROUNDS: u32 = 10_000;

/// Two threads have one PID and would take each other for a left-over, so one at a time goes
/// through this; nothing in it waits.
static TURN: PerProcess<Mutex<()>> = PerProcess::new();

#[inline(never)] // it is long, and not what most do
pub(crate) fn acquire(plan: &Plan<'_>) -> Result<PidGuard, PidFileError> {
    let me = ThisProcess::current();
    let claim = Claim::begin(me);
    let _turn = TURN
        .get(me, Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(hold) = our_own(plan, me)? {
        return Ok(PidGuard::new(hold));
    }
    // Who is refused here has written nothing, and needs no right to.
    if let Found::Alive(pid) = look(plan, me, plan.path)? {
        return Err(PidFileError::running(plan.path, pid));
    }
    claim.arm(plan);
    let hold = take(plan, me)?;
    sweep(plan, me);
    Ok(PidGuard::new(claim.enter(plan, || hold)))
}

fn our_own(plan: &Plan<'_>, me: ThisProcess) -> Result<Option<Share>, PidFileError> {
    // Under the table's mutex no hold comes or goes, so the number of a file that is in it cannot have
    // been another file's a moment before.
    let mut registry = Registry::of(me);
    let Ok(found) = sys::stat_path(plan.path) else {
        return Ok(None);
    };
    if plan.reentrant {
        return Ok(registry.share(found.id()));
    }
    match registry.holds(found.id()) {
        true => Err(PidFileError::running(plan.path, me.pid())),
        false => Ok(None),
    }
}

/// What stands at a name.
enum Found {
    Nothing,
    Alive(u32),
    /// It names a dead process, or none. The file stays open, so that its identity stays its own.
    Stale(OpenFile, Identity),
}

/// Climbs over stale names until one can be taken, then comes down again, replacing one after the
/// other.
fn take(plan: &Plan<'_>, me: ThisProcess) -> Result<Hold, PidFileError> {
    let mut privates = vec![Private::write(plan, me, 0)?];
    let taken = climb(plan, me, &mut privates);
    if taken.is_err() {
        // A call that was told to have failed may have been made all the same, as on NFS, and one of
        // them be there under a public name.
        privates.iter().for_each(|private| private.hold.disown());
    }
    taken
}

fn climb(
    plan: &Plan<'_>,
    me: ThisProcess,
    privates: &mut Vec<Private>,
) -> Result<Hold, PidFileError> {
    for _ in 0..ROUNDS {
        let level = privates.len() - 1;
        let name = public_name(plan, level)?;
        match privates[level].link(plan, &name)? {
            Linked::Ours => {}
            Linked::PrivateGone => {
                // First away with the old one, whose end would take the new one's name.
                privates.pop();
                privates.push(Private::write(plan, me, level)?);
                continue;
            }
            Linked::Taken => {
                match look(plan, me, &name)? {
                    Found::Nothing => {}
                    Found::Alive(pid) => return Err(PidFileError::running(plan.path, pid)),
                    Found::Stale(..) if privates.len() == LEVELS => {
                        let why = "more processes than can be dealt with died while they took it \
                                   over; remove the files beside it whose names end with .t and a number";
                        return Err(PidFileError::gave_up(plan.path, why));
                    }
                    Found::Stale(..) => privates.push(Private::write(plan, me, level + 1)?),
                }
                continue;
            }
        }
        if let Some(hold) = come_down(plan, me, privates)? {
            return Ok(hold);
        }
    }
    let why = "other processes took and left it again and again meanwhile";
    Err(PidFileError::gave_up(plan.path, why))
}

/// With the topmost name taken: replaces those below it. `None` if one of them is not stale any
/// more.
fn come_down(
    plan: &Plan<'_>,
    me: ThisProcess,
    privates: &mut Vec<Private>,
) -> Result<Option<Hold>, PidFileError> {
    while let Some(top) = privates.pop() {
        let Some(below) = privates.last() else {
            return Ok(Some(top.hold));
        };
        let name = public_name(plan, privates.len() - 1)?;
        let replaced = replace_if_still_stale(plan, me, &name, below);
        // Whatever became of that: nobody waits for this name, and if somebody removed it by hand,
        // it is gone. If it stays, it is to be in nobody's way.
        let top_name = public_name(plan, privates.len())?;
        let removed = match trust::path_names(&top_name, top.hold.id) {
            Ok(true) => sys::remove(&top_name).is_ok(),
            Ok(false) => true,
            Err(_) => false,
        };
        if !removed {
            top.hold.disown();
        }
        if !replaced? {
            break;
        }
    }
    Ok(None)
}

/// For the process that has the name one level up: only it may replace this one.
fn replace_if_still_stale(
    plan: &Plan<'_>,
    me: ThisProcess,
    name: &FullPath,
    private: &Private,
) -> Result<bool, PidFileError> {
    let Found::Stale(_open, id) = look(plan, me, name)? else {
        return Ok(false);
    };
    if !trust::path_names(name, id)? {
        return Ok(false);
    }
    match fs::rename(&*private.name.0, &**name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(PidFileError::io("replace the stale", plan.path, error)),
    }
}

fn look(plan: &Plan<'_>, me: ThisProcess, name: &FullPath) -> Result<Found, PidFileError> {
    let file = match sys::open(name, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(opening::explain(plan, name, error)),
    };
    let stat = sys::stat(&file).map_err(|error| PidFileError::io("look at", name, error))?;
    // Two: who has just taken the name has not removed its private one yet.
    trust::check(plan, name, &stat, 2)?;
    match record::read(&file, Some(stat.size()))
        .map_err(|error| PidFileError::io("read", name, error))?
    {
        Record::NotAPid(reason) => Err(PidFileError::unreadable(name, reason)),
        // Our number, though this process does not hold it: a predecessor's.
        Record::Pid(pid) if pid != me.pid() && owner::is_alive(pid) => Ok(Found::Alive(pid)),
        Record::Pid(_) | Record::Blank => Ok(Found::Stale(file, stat.id())),
    }
}

/// A file that only this process knows of, complete before anybody can see it as the pidfile.
struct Private {
    hold: Hold,
    name: Removed,
}

enum Linked {
    Ours,
    Taken,
    PrivateGone,
}

impl Private {
    fn write(plan: &Plan<'_>, me: ThisProcess, level: usize) -> Result<Self, PidFileError> {
        let name = private_name(plan, me.pid(), level)?;
        let file = match opening::make(&name, plan.mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left by a predecessor with our number.
                remove_private(plan, &name, me.pid());
                opening::make(&name, plan.mode)
            }
            other => other,
        };
        let file = file.map_err(|error| opening::cannot_make(plan, error))?;
        let name = Removed(name);
        let look_at = |error| PidFileError::io("look at", plan.path, error);
        let stat = sys::stat(&file).map_err(look_at)?;
        contents::write(plan, &file, &stat, &Text::of(me.pid()))?;
        let hold = Hold::new(plan, Marked::new(file, stat.id()), me);
        Ok(Self { hold, name })
    }

    fn link(&self, plan: &Plan<'_>, public: &FullPath) -> Result<Linked, PidFileError> {
        match fs::hard_link(&*self.name.0, &**public) {
            Ok(()) => Ok(Linked::Ours),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // On NFS the answer to a call that succeeded can get lost, and the second try find
                // its own link (open(2)).
                match trust::path_names(public, self.hold.id)? {
                    true => Ok(Linked::Ours),
                    false => Ok(Linked::Taken),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Linked::PrivateGone),
            Err(error) => Err(PidFileError::io("link", plan.path, error)),
        }
    }
}

/// A name that goes away with this value; gone already is as good.
struct Removed(FullPath);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = sys::remove(&self.0);
    }
}

/// Removes the private files of processes that died before they had taken the name. Should one
/// belong to a process that has just got that number, it finds it gone and writes another.
fn sweep(plan: &Plan<'_>, me: ThisProcess) {
    let Ok(entries) = fs::read_dir(plan.directory()) else {
        return;
    };
    for entry in entries.flatten() {
        let pid = owner_of_private_name(plan, &entry.file_name());
        // Ours are all gone by now, so one with our number is a predecessor's.
        let Some(pid) = pid.filter(|&pid| pid == me.pid() || !owner::is_alive(pid)) else {
            continue;
        };
        if let Ok(name) = FullPath::resolve(&entry.path()) {
            remove_private(plan, &name, pid);
        }
    }
}

/// Removes a file that a process with this number left, if it is one: blank, where the process
/// died before it could write, or with that number in it.
fn remove_private(plan: &Plan<'_>, name: &FullPath, pid: u32) {
    let is_left_over = || -> Option<bool> {
        let file = sys::open(name, Access::Read).ok()?;
        let stat = sys::stat(&file).ok()?;
        trust::check(plan, name, &stat, 2).ok()?;
        Some(match record::read(&file, Some(stat.size())).ok()? {
            Record::Pid(found) => found == pid,
            Record::Blank => true,
            Record::NotAPid(_) => false,
        })
    };
    if is_left_over() == Some(true) {
        let _ = sys::remove(name);
    }
}
