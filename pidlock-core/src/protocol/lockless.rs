//! The protocol for file systems without locks: the recorded PID is the only protection.
//!
//! To take a name, a process links it to a staging file that already contains its record. link(2)
//! is atomic, so only one process succeeds. A stale name cannot just be replaced, because another
//! process may replace it first. So a process first takes the next level's name by the same rule,
//! and then checks again that the name is stale. If the process dies before it removes the next
//! level's name, that one is stale, too, and another process replaces it by way of the level after
//! that.
//!
//! `app.pid` is level 0, `app.pid.t1` level 1, and so on. Verified by exhaustive search with up to three
//! processes and two crashes at any step (`tests/tests/protocol_model`).

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use super::acquire::{held_by_this_process, replace_error, set_owner_and_mode};
use super::contention::{self, Verdict};
use super::open;
use crate::cleanup::{self, CriticalSection, Handle};
use crate::error::{During, PidFileError, Result};
use crate::held::HeldFile;
use crate::liveness;
use crate::record::{self, Record};
use crate::settings::Target;
use crate::sys::{self, AbsPath, Access, PerProcess, ProcessInstance, Stat};

/// Each level above the first was left by a process that died while it took a stale file over. The
/// next take-over that succeeds removes all these levels.
const MAX_LEVELS: usize = 8;

/// All attempts but a few are made because another process took or released a name meanwhile.
const MAX_ATTEMPTS: u32 = 10_000;

/// Threads share a PID, and would take each other's names for those of a dead process. So only one
/// thread at a time acquires a file. It never waits for another process, so the other threads do
/// not wait long.
static SERIALIZE: PerProcess<Mutex<()>> = PerProcess::new();

pub(crate) fn acquire(target: &Target) -> Result<Handle> {
    let process = ProcessInstance::current();
    let section = CriticalSection::enter(process);
    let _one_at_a_time = SERIALIZE.lock(process);
    if let Some(handle) = held_by_this_process(target, process)? {
        return Ok(handle);
    }
    let start = Start { target, process };
    // A start that is refused here has written nothing, so it needs no write access.
    start.inspect(&target.path)?;
    cleanup::install_handlers(target.settings.on_signal);
    let mut staging = vec![start.stage(0)?];
    let held = start.climb(&mut staging).inspect_err(|_| {
        // On NFS a call can fail although it took effect, so a staging file may have a public name.
        // A blank file does no harm there.
        staging.iter().for_each(|file| file.held.blank());
    })?;
    start.remove_orphans();
    Ok(section.insert(held))
}

struct Start<'a> {
    target: &'a Target,
    process: ProcessInstance,
}

impl Start<'_> {
    /// Climbs past stale names until it can take a level's name. Then descends, and replaces each
    /// stale name.
    fn climb(&self, staging: &mut Vec<StagingFile>) -> Result<HeldFile> {
        let path = &self.target.path;
        for _ in 0..MAX_ATTEMPTS {
            let level = staging.len() - 1;
            let name = level_path(self.target, level)?;
            let linked = sys::unless_removed(link(&staging[level], &name));
            let linked = linked.map_err(|error| link_error(path, error))?;
            let Some(is_taken) = linked else {
                // Another process removed the staging file, which it took for one of a dead process
                // with this PID. The new staging file gets the same name, so drop the old one
                // first, because its drop unlinks that name.
                staging.pop();
                staging.push(self.stage(level)?);
                continue;
            };
            if is_taken {
                if let Some(held) = self.descend(staging)? {
                    return Ok(held);
                }
                continue;
            }
            match self.inspect(&name)? {
                None => {}
                Some(_) if staging.len() == MAX_LEVELS => {
                    let why = "too many interrupted take-overs; remove the leftover files with the \
                               same name and .t1, .t2 and so on behind it";
                    return Err(PidFileError::gave_up(path, why));
                }
                Some(_) => staging.push(self.stage(level + 1)?),
            }
        }
        let why = "other processes kept taking and releasing it";
        Err(PidFileError::gave_up(path, why))
    }

    /// Replaces the names below the top one, which this start has taken. `None` if one of them is
    /// not stale any more.
    fn descend(&self, staging: &mut Vec<StagingFile>) -> Result<Option<HeldFile>> {
        while let Some(top) = staging.pop() {
            let Some(below) = staging.last() else {
                return Ok(Some(top.held));
            };
            let replaced =
                self.replace_if_stale(&level_path(self.target, staging.len() - 1)?, below);
            // The top name is removed in any case. If that fails, its file is left blank, so that
            // it does not stop other starts.
            let top_name = level_path(self.target, staging.len())?;
            let is_there = matches!(sys::path_refers_to(&top_name, top.held.id), Ok(true));
            if !is_there || sys::unlink(&top_name).is_err() {
                top.held.blank();
            }
            if !replaced? {
                break;
            }
        }
        Ok(None)
    }

    /// Replaces a stale name. The caller must have taken the next level's name. Returns `false` if
    /// the name is not stale, or the staging file is gone.
    fn replace_if_stale(&self, name: &AbsPath, new: &StagingFile) -> Result<bool> {
        let Some((open, stat)) = self.inspect(name)? else {
            return Ok(false);
        };
        if !sys::path_refers_to(name, stat.id).during("inspect", name)? {
            return Ok(false);
        }
        drop(open); // Windows and CIFS do not replace a file that is open
        let renamed = sys::unless_removed(sys::rename(&new.name.0, name));
        let renamed = renamed.map_err(|error| replace_error(name, stat.uid, error))?;
        Ok(renamed.is_some())
    }

    /// Returns the stale file that occupies the name, open, so that its inode number is not reused.
    /// `None` if there is none. An error if the process that it names is alive.
    fn inspect(&self, name: &AbsPath) -> Result<Option<(File, Stat)>> {
        let Some((file, stat)) = open::open_existing(self.target, name)? else {
            return Ok(None);
        };
        let record = sys::unless_removed(record::read(&file, Some(stat.size)));
        let Some(record) = record.during("read", name)? else {
            return Ok(None);
        };
        match contention::judge(self.target, name, &record, &stat)? {
            Verdict::Running(pid) => Err(PidFileError::running(&self.target.path, pid)),
            Verdict::Blank | Verdict::Stale(_) => Ok(Some((file, stat))),
        }
    }

    /// Creates a staging file. Tries once more if it was removed meanwhile, as by a process that
    /// took it for one of a dead process with this PID.
    fn stage(&self, level: usize) -> Result<StagingFile> {
        match self.try_stage(level) {
            Err(PidFileError::Io { source, .. }) if sys::is_removed(&source) => {
                self.try_stage(level)
            }
            result => result,
        }
    }

    fn try_stage(&self, level: usize) -> Result<StagingFile> {
        let target = self.target;
        let name = staging_path(target, self.process.pid(), level)?;
        let mode = target.settings.marked_mode();
        let file = match open::create(&name, mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left by a predecessor with the same PID.
                self.remove_orphan(&name, self.process.pid());
                open::create(&name, mode)
            }
            result => result,
        };
        let file = file.map_err(|error| open::directory_error(target, "create", error))?;
        let name = UnlinkOnDrop(name);
        let path = &target.path;
        let stat = sys::stat(&file).during("inspect", path)?;
        set_owner_and_mode(target, &file, &stat).during("change the owner or mode of", path)?;
        record::write(&file, self.process.pid(), 0).during("write", path)?;
        let forks = sys::fork_count();
        let held = HeldFile::new(target, file, stat.id, self.process, forks);
        Ok(StagingFile { held, name })
    }

    /// Removes staging files of dead processes. If a new process has just got the PID of one, its
    /// own staging file can be removed, and it creates another one.
    fn remove_orphans(&self) {
        let Ok(entries) = fs::read_dir(self.target.directory()) else {
            return;
        };
        for entry in entries.flatten() {
            // This process has removed its own ones by now, so those with its PID are a
            // predecessor's.
            let is_dead = |&pid: &u32| pid == self.process.pid() || !liveness::is_alive(pid);
            let owner = staging_owner(self.target, &entry.file_name()).filter(is_dead);
            if let (Some(pid), Ok(name)) = (owner, AbsPath::resolve(&entry.path())) {
                self.remove_orphan(&name, pid);
            }
        }
    }

    /// Removes a staging file if it contains the PID that is in its name, or if it is blank because
    /// its process died before it wrote the PID.
    fn remove_orphan(&self, name: &AbsPath, pid: u32) {
        if let Ok(Some((file, stat))) = open::open_existing(self.target, name) {
            let record = record::read(&file, Some(stat.size)).ok();
            if [Some(Record::Blank), Some(Record::Pid(pid))].contains(&record) {
                let _ = sys::unlink(name);
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

/// Links the public name to the staging file. Returns `false` if the name is occupied.
fn link(staging: &StagingFile, public: &AbsPath) -> io::Result<bool> {
    match fs::hard_link(&*staging.name.0, &**public) {
        Ok(()) if is_found(staging, public) => Ok(true),
        Ok(()) => Err(io::ErrorKind::Unsupported.into()),
        // On NFS the reply to a successful call can get lost. Then the client repeats the call,
        // which fails because the name exists, with the link of the first call (open(2)).
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            sys::path_refers_to(public, staging.held.id)
        }
        Err(error) => Err(error),
    }
}

/// Returns `false` if other processes do not find the staging file by its public name.
fn is_found(staging: &StagingFile, public: &AbsPath) -> bool {
    let open = sys::open(public, Access::Read);
    match open.and_then(|file| Ok((sys::stat(&file)?.id, record::read(&file, None)?))) {
        // sshfs and mergerfs derive the inode number from the name, so the file would seem to be
        // replaced. With another record, it has been replaced.
        Ok((id, record)) => {
            id == staging.held.id || record != Record::Pid(staging.held.owner.pid())
        }
        // EINVAL: CIFS does not open a file by one name while it is open by another one.
        Err(error) => error.kind() != io::ErrorKind::InvalidInput,
    }
}

fn link_error(path: &Path, error: io::Error) -> PidFileError {
    if !sys::is_not_kept(&error) && error.kind() != io::ErrorKind::Unsupported {
        return PidFileError::io("link", path, error);
    }
    let advice = "this file system has no hard links: use lock = true, or another directory";
    let error = io::Error::new(error.kind(), format!("{error}; {advice}"));
    PidFileError::io("link", path, error)
}

/// `app.pid`, `app.pid.t1` and so on.
fn level_path(target: &Target, level: usize) -> Result<AbsPath> {
    if level == 0 {
        return Ok(target.path.clone());
    }
    let mut name = target.path.as_os_str().to_owned();
    name.push(format!(".t{level}"));
    AbsPath::resolve(name.as_ref()).during("find", name.as_ref())
}

/// `.app.pid.12345-0.pidlock`: hidden, and in the same directory, because links do not cross file
/// systems.
fn staging_path(target: &Target, pid: u32, level: usize) -> Result<AbsPath> {
    let mut name = staging_prefix(target);
    name.push(format!("{pid}-{level}{STAGING_SUFFIX}"));
    let path = target.directory().join(name);
    AbsPath::resolve(&path).during("find", &path)
}

/// The PID in the name of a staging file.
fn staging_owner(target: &Target, name: &OsStr) -> Option<u32> {
    let prefix = staging_prefix(target);
    let name = name
        .as_encoded_bytes()
        .strip_prefix(prefix.as_encoded_bytes())?;
    let name = std::str::from_utf8(name.strip_suffix(STAGING_SUFFIX.as_bytes())?).ok()?;
    name.split_once('-')?.0.parse().ok()
}

const STAGING_SUFFIX: &str = ".pidlock";

fn staging_prefix(target: &Target) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}
