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

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::hold::Hold;
use crate::opening;
use crate::owner;
use crate::plan::Plan;
use crate::record::{self, Record};
use crate::registry::Registry;
use crate::sys::{self, Access, Identity, ThisProcess};
use crate::trust;

/// Each level but the first belongs to a process that died while it replaced the one below.
const LEVELS: u32 = 64;

/// Each round but the first means that another process took or left the name in between.
const ROUNDS: u32 = 1000;

pub(crate) fn acquire(plan: &Plan) -> Result<PidGuard, PidFileError> {
    let me = ThisProcess::current();
    // Two threads have one PID and would take each other for a left-over, so one at a time goes
    // through this; nothing in it waits.
    let mut registry = Registry::of(me);
    if let Ok(found) = sys::stat_path(&plan.path) {
        if registry.holds(found.id) {
            let shared = if plan.reentrant {
                registry.share(found.id)
            } else {
                None
            };
            return shared
                .map(PidGuard::new)
                .ok_or_else(|| PidFileError::running(&plan.path, me.pid()));
        }
    }
    let hold = take(plan, me, 0)?;
    Ok(PidGuard::new(registry.enter(hold)))
}

/// What stands at a name.
enum Found {
    Nothing,
    Alive(u32),
    /// It names a dead process, or none. The file stays open, so that its identity stays its own.
    Stale(File, Identity),
}

fn take(plan: &Plan, me: ThisProcess, level: u32) -> Result<Hold, PidFileError> {
    if level >= LEVELS {
        return Err(PidFileError::gave_up(
            &plan.path,
            "too many processes died while they took it over",
        ));
    }
    let name = with_suffix(&plan.path, level);
    let mut private = Private::write(plan, me, &name, level)?;
    for _ in 0..ROUNDS {
        match fs::hard_link(&private.name.0, &name) {
            Ok(()) => return Ok(private.hold),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // On NFS the answer to a call that succeeded can get lost, and the second try find
                // its own link (open(2)).
                if trust::path_names(&name, private.hold.id())? {
                    return Ok(private.hold);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                private = Private::write(plan, me, &name, level)?;
                continue;
            }
            Err(error) => return Err(PidFileError::io("link", &plan.path, error)),
        }
        match look(plan, me, &name)? {
            Found::Nothing => continue,
            Found::Alive(pid) => return Err(PidFileError::running(&plan.path, pid)),
            Found::Stale(..) => {}
        }
        let above = take(plan, me, level + 1)?;
        let replaced = replace_if_still_stale(plan, me, &name, &private);
        above.release()?;
        if replaced? {
            if level == 0 {
                sweep(plan, me);
            }
            return Ok(private.hold);
        }
    }
    Err(PidFileError::gave_up(
        &plan.path,
        "other processes took and left it again and again meanwhile",
    ))
}

/// For the process that has the name one level up: only it may replace this one.
fn replace_if_still_stale(
    plan: &Plan,
    me: ThisProcess,
    name: &Path,
    private: &Private,
) -> Result<bool, PidFileError> {
    let Found::Stale(_open, id) = look(plan, me, name)? else {
        return Ok(false);
    };
    if !trust::path_names(name, id)? {
        return Ok(false);
    }
    match fs::rename(&private.name.0, name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(PidFileError::io("replace the stale", &plan.path, error)),
    }
}

fn look(plan: &Plan, me: ThisProcess, name: &Path) -> Result<Found, PidFileError> {
    let file = match sys::open(name, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(opening::explain(plan, name, error)),
    };
    let stat = sys::stat(&file).map_err(|error| PidFileError::io("look at", name, error))?;
    // Two: who has just taken the name has not removed its private one yet.
    trust::check(plan, &stat, 2)?;
    match record::read(&file).map_err(|error| PidFileError::io("read", name, error))? {
        Record::NotAPid(reason) => Err(PidFileError::unreadable(name, reason)),
        // Our number, though this process does not hold it: a predecessor's.
        Record::Pid(pid) if pid != me.pid() && owner::is_alive(pid) => Ok(Found::Alive(pid)),
        Record::Pid(_) | Record::Blank => Ok(Found::Stale(file, stat.id)),
    }
}

/// A file that only this process knows of, complete before anybody can see it as the pidfile.
struct Private {
    hold: Hold,
    name: Removed,
}

impl Private {
    fn write(
        plan: &Plan,
        me: ThisProcess,
        public: &Path,
        level: u32,
    ) -> Result<Self, PidFileError> {
        let name = private_name(plan, me.pid(), level);
        let file = match opening::make(&name, plan.mode) {
            // Left by a predecessor with our number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&name).and_then(|()| opening::make(&name, plan.mode))
            }
            other => other,
        };
        let file = file.map_err(|error| opening::cannot_make(plan, error))?;
        let name = Removed(name);
        let stat = sys::stat(&file).map_err(|error| PidFileError::io("look at", public, error))?;
        let keep = plan.keep && level == 0;
        let hold = Hold::new(public.to_owned(), file, stat.id, me, keep);
        hold.write(plan, &stat)?;
        Ok(Self { hold, name })
    }
}

/// A name that goes away with this value; gone already is as good.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn with_suffix(path: &Path, level: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if level > 0 {
        name.push(format!(".t{level}"));
    }
    name.into()
}

/// `.app.pid.12345-0`: hidden, and beside the pidfile, for links do not cross file systems.
fn private_name(plan: &Plan, pid: u32, level: u32) -> PathBuf {
    let mut name = private_prefix(plan);
    name.push(format!("{pid}-{level}"));
    plan.directory().join(name)
}

fn private_prefix(plan: &Plan) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(plan.path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Removes the private files of processes that died before they had taken the name. Should one
/// belong to a process that has just got that number, it finds it gone and writes another.
fn sweep(plan: &Plan, me: ThisProcess) {
    let prefix = private_prefix(plan);
    let Ok(entries) = fs::read_dir(plan.directory()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| std::str::from_utf8(rest).ok())
            .and_then(|rest| rest.split_once('-'))
            .filter(|(_, level)| level.parse::<u32>().is_ok_and(|level| level < LEVELS))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| pid != me.pid() && !owner::is_alive(pid)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
