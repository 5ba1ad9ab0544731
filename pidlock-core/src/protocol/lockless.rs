//! The protocol for file systems without locks: the recorded PID is the only protection.
//!
//! To take a name, a process links a staging file that already contains its record to it. link(2) is
//! atomic, so only one process succeeds. A stale name cannot just be replaced, because another process
//! may replace it first. So a process first takes the next level's name by the same rule, and then
//! checks again. If it dies there, a third process resolves that on the next level.
//!
//! `app.pid` is level 0, `app.pid.t1` level 1, and so on. Verified by exhaustive search with up to four
//! processes and a crash at any step (`tests/tests/protocol_model`).

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::acquire::set_owner_and_mode;
use super::open::{self, OpenedFile};
use crate::cleanup::{CriticalSection, Handle, Table};
use crate::error::PidFileError;
use crate::held::HeldFile;
use crate::liveness;
use crate::record::{self, Record};
use crate::settings::Target;
use crate::sys::{self, AbsPath, Access, FileId, PerProcess, ProcessInstance};

/// Each level above the first is left by a process that died while it took a stale file over. The next
/// take-over removes them all.
const MAX_LEVELS: usize = 8;

/// Each attempt but a few means that another process took or released a name meanwhile.
const MAX_ATTEMPTS: u32 = 10_000;

/// Threads share a PID, and would take each other's names for left-overs of a dead process. So only one
/// at a time runs this. It never waits for another process.
static SERIALIZE: PerProcess<Mutex<()>> = PerProcess::new();

pub(crate) fn acquire(target: &Target) -> Result<Handle, PidFileError> {
    let process = ProcessInstance::current();
    let section = CriticalSection::enter(process);
    let serialize = SERIALIZE.get(process, Mutex::default);
    let _one_at_a_time = serialize.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = held_by_this_process(target, process)? {
        return Ok(handle);
    }
    let start = Start { target, process };
    // A start that is refused here has written nothing, and needs no permission to.
    if let Occupant::Alive(pid) = start.inspect(&target.path)? {
        return Err(PidFileError::running(&target.path, pid));
    }
    section.install_handlers(target.settings.on_signal);
    let held = start.take()?;
    start.remove_orphans();
    Ok(section.insert(&target.settings, held))
}

fn held_by_this_process(
    target: &Target,
    process: ProcessInstance,
) -> Result<Option<Handle>, PidFileError> {
    // No file is acquired or released under the table's lock, so the inode at the path cannot have been
    // another file's a moment before.
    let mut table = Table::of(process);
    let Ok(stat) = sys::stat_path(&target.path) else {
        return Ok(None);
    };
    if target.settings.reentrant {
        return Ok(table.handle(stat.id));
    }
    match table.contains(stat.id) {
        true => Err(PidFileError::running(&target.path, process.pid())),
        false => Ok(None),
    }
}

/// What occupies a name.
enum Occupant {
    None,
    Alive(u32),
    /// A dead process, or no PID. The file stays open, so that its inode number is not reused.
    Stale(File, FileId),
}

struct Start<'a> {
    target: &'a Target,
    process: ProcessInstance,
}

impl Start<'_> {
    fn take(&self) -> Result<HeldFile, PidFileError> {
        let mut staging = vec![self.stage(0)?];
        let taken = self.climb(&mut staging);
        if taken.is_err() {
            // On NFS a call can fail and take effect all the same, so a staging file may be linked to a
            // public name. As a blank file it does no harm there.
            staging.iter().for_each(|file| file.held.blank());
        }
        taken
    }

    /// Climbs past stale names until one can be taken, then descends, replacing each.
    fn climb(&self, staging: &mut Vec<StagingFile>) -> Result<HeldFile, PidFileError> {
        let path = &self.target.path;
        for _ in 0..MAX_ATTEMPTS {
            let level = staging.len() - 1;
            let name = level_path(self.target, level)?;
            match self.link(&staging[level], &name)? {
                Linked::Acquired => {
                    if let Some(held) = self.descend(staging)? {
                        return Ok(held);
                    }
                }
                Linked::StagingLost => {
                    // Drop the old one first: it would unlink the new one, which has the same name.
                    staging.pop();
                    staging.push(self.stage(level)?);
                }
                Linked::Occupied => match self.inspect(&name)? {
                    Occupant::None => {}
                    Occupant::Alive(pid) => return Err(PidFileError::running(path, pid)),
                    Occupant::Stale(..) if staging.len() == MAX_LEVELS => {
                        let why = "too many interrupted take-overs; remove the leftover files with the \
                                   same name and .t1, .t2 and so on behind it";
                        return Err(PidFileError::gave_up(path, why));
                    }
                    Occupant::Stale(..) => staging.push(self.stage(level + 1)?),
                },
            }
        }
        let why = "other processes kept taking and releasing it";
        Err(PidFileError::gave_up(path, why))
    }

    /// With the top name taken, replaces those below it. `None` if one of them is not stale any more.
    fn descend(&self, staging: &mut Vec<StagingFile>) -> Result<Option<HeldFile>, PidFileError> {
        while let Some(top) = staging.pop() {
            let Some(below) = staging.last() else {
                return Ok(Some(top.held));
            };
            let replaced =
                self.replace_if_stale(&level_path(self.target, staging.len() - 1)?, below);
            // The top name goes in any case. If it cannot be removed it must not be in the way.
            let top_name = level_path(self.target, staging.len())?;
            let is_there = sys::path_refers_to(&top_name, top.held.id());
            let removed = is_there.is_ok_and(|is_there| is_there) && sys::unlink(&top_name).is_ok();
            if !removed {
                top.held.blank();
            }
            if !replaced? {
                break;
            }
        }
        Ok(None)
    }

    /// Only the process that has the next level's name may replace this one.
    fn replace_if_stale(&self, name: &AbsPath, new: &StagingFile) -> Result<bool, PidFileError> {
        let Occupant::Stale(_open, id) = self.inspect(name)? else {
            return Ok(false);
        };
        let inspect_error = |error| PidFileError::io("inspect", name, error);
        if !sys::path_refers_to(name, id).map_err(inspect_error)? {
            return Ok(false);
        }
        match fs::rename(&*new.name.0, &**name) {
            Ok(()) => Ok(true),
            Err(error) if sys::is_removed(&error) => Ok(false),
            Err(error) => Err(PidFileError::io(
                "replace the stale",
                &self.target.path,
                error,
            )),
        }
    }

    fn inspect(&self, name: &AbsPath) -> Result<Occupant, PidFileError> {
        let file = match sys::open(name, Access::Read) {
            Ok(file) => file,
            Err(error) if sys::is_removed(&error) => return Ok(Occupant::None),
            Err(error) => return Err(open::open_error(self.target, name, error)),
        };
        let failed = |doing| move |error| PidFileError::io(doing, name, error);
        let Some(stat) = sys::unless_removed(sys::stat(&file)).map_err(failed("inspect"))? else {
            return Ok(Occupant::None);
        };
        open::check_file_type(name, stat.file_type)?;
        let record = record::read(&file, Some(stat.size)).map_err(failed("read"))?;
        let is_alive = |pid| pid != self.process.pid() && liveness::is_alive(pid);
        match record {
            Record::Invalid(reason) => Err(PidFileError::unreadable(name, reason)),
            Record::Pid(pid) | Record::PidWithMore(pid) if is_alive(pid) => {
                Ok(Occupant::Alive(pid))
            }
            Record::PidWithMore(pid) => Err(PidFileError::has_more(name, pid)),
            // This process's own PID, which it does not hold, was written by a predecessor.
            Record::Pid(_) | Record::Blank => Ok(Occupant::Stale(file, stat.id)),
        }
    }

    /// Creates a staging file.
    fn stage(&self, level: usize) -> Result<StagingFile, PidFileError> {
        let target = self.target;
        let name = staging_path(target, self.process.pid(), level)?;
        let mode = target.settings.permissions();
        let file = match open::create(&name, mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left by a predecessor with the same PID.
                remove_orphan(&name, self.process.pid());
                open::create(&name, mode)
            }
            result => result,
        };
        let file = file.map_err(|error| open::create_error(target, error))?;
        let name = UnlinkOnDrop(name);
        let opened = OpenedFile {
            file,
            created: true,
            writable: true,
        };
        let failed = |doing| move |error| PidFileError::io(doing, &target.path, error);
        let stat = sys::stat(&opened.file).map_err(failed("inspect"))?;
        set_owner_and_mode(target, &opened, &stat, 0)
            .map_err(failed("change the owner or mode of"))?;
        record::write(&opened.file, self.process.pid(), 0).map_err(failed("write"))?;
        let forks = sys::fork_count();
        let held = HeldFile::new(target, opened.file, stat.id, self.process, forks);
        Ok(StagingFile { held, name })
    }

    fn link(&self, staging: &StagingFile, public: &AbsPath) -> Result<Linked, PidFileError> {
        let path = &self.target.path;
        match fs::hard_link(&*staging.name.0, &**public) {
            Ok(()) => Ok(Linked::Acquired),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // On NFS the reply to a successful call can get lost, so that the second try finds its
                // own link (open(2)).
                match sys::path_refers_to(public, staging.held.id()) {
                    Ok(true) => Ok(Linked::Acquired),
                    Ok(false) => Ok(Linked::Occupied),
                    Err(error) => Err(PidFileError::io("inspect", path, error)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Linked::StagingLost),
            Err(error) => Err(PidFileError::io("link", path, error)),
        }
    }

    /// Removes staging files of dead processes. A process that has just got the PID of one finds its
    /// file gone, and creates another.
    fn remove_orphans(&self) {
        let Ok(entries) = fs::read_dir(self.target.directory()) else {
            return;
        };
        for entry in entries.flatten() {
            let owner = staging_owner(self.target, &entry.file_name());
            // Those of this process are gone by now.
            let is_dead = |&pid: &u32| pid == self.process.pid() || !liveness::is_alive(pid);
            if let (Some(pid), Ok(name)) = (owner.filter(is_dead), AbsPath::resolve(&entry.path()))
            {
                remove_orphan(&name, pid);
            }
        }
    }
}

/// A file that is complete before it becomes visible under a public name.
struct StagingFile {
    held: HeldFile,
    name: UnlinkOnDrop,
}

struct UnlinkOnDrop(AbsPath);

impl Drop for UnlinkOnDrop {
    fn drop(&mut self) {
        let _ = sys::unlink(&self.0);
    }
}

enum Linked {
    Acquired,
    Occupied,
    StagingLost,
}

/// Removes a staging file if it is blank, because its process died before it could write, or contains
/// the PID in its name.
fn remove_orphan(name: &AbsPath, pid: u32) {
    let is_orphan = || -> io::Result<bool> {
        let file = sys::open(name, Access::Read)?;
        let stat = sys::stat(&file)?;
        if open::check_file_type(name, stat.file_type).is_err() {
            return Ok(false);
        }
        let record = record::read(&file, Some(stat.size))?;
        Ok(record == Record::Blank || record == Record::Pid(pid))
    };
    if is_orphan().is_ok_and(|it_is| it_is) {
        let _ = sys::unlink(name);
    }
}

/// `app.pid`, `app.pid.t1` and so on.
fn level_path(target: &Target, level: usize) -> Result<AbsPath, PidFileError> {
    if level == 0 {
        return Ok(target.path.clone());
    }
    let mut name = target.path.as_os_str().to_owned();
    name.push(format!(".t{level}"));
    absolute(name.as_ref())
}

/// `.app.pid.12345-0.pidlock`: hidden, and in the same directory, because links do not cross file
/// systems.
fn staging_path(target: &Target, pid: u32, level: usize) -> Result<AbsPath, PidFileError> {
    let mut name = staging_prefix(target);
    name.push(format!("{pid}-{level}{STAGING_SUFFIX}"));
    absolute(&target.directory().join(name))
}

/// The PID in the name of a staging file.
fn staging_owner(target: &Target, name: &OsStr) -> Option<u32> {
    let name = name.as_encoded_bytes();
    let name = name.strip_prefix(staging_prefix(target).as_encoded_bytes())?;
    let name = name.strip_suffix(STAGING_SUFFIX.as_bytes())?;
    let (pid, _) = std::str::from_utf8(name).ok()?.split_once('-')?;
    pid.parse().ok()
}

const STAGING_SUFFIX: &str = ".pidlock";

fn staging_prefix(target: &Target) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

fn absolute(path: &Path) -> Result<AbsPath, PidFileError> {
    AbsPath::resolve(path).map_err(|error| PidFileError::io("find", path, error))
}
