//! Opening the pidfile or making it, and what to say where the system does not let us.

use std::io;
use std::path::Path;

use crate::beside;
use crate::cleanup::Claim;
use crate::error::{PidFileError, Quoted};
use crate::owner;
use crate::plan::Plan;
use crate::record;
use crate::sys::{self, Access, FullPath, Kind, OpenFile, Stat, ThisProcess};
use crate::trust;

/// An open file that may be the pidfile.
pub(crate) struct Opened {
    pub(crate) file: OpenFile,
    pub(crate) origin: Origin,
}

/// Where an open file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is new.
    Made,
    /// It was there. Another start of ours may have made it, and not come further: see
    /// `Stat::is_unfinished`.
    Found,
    /// It is one or the other.
    MadeOrFound,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Way {
    /// In one call, if that can be.
    #[default]
    Quick,
    /// In two, which take twice the time, and tell whether the file is new.
    Sure,
}

/// Opens the file, or makes it. `None` if it came or went in between.
#[inline(always)] // it mostly takes the first few lines
pub(crate) fn open_or_make(
    plan: &Plan<'_>,
    claim: &Claim,
    way: Way,
) -> Result<Option<Opened>, PidFileError> {
    if way == Way::Quick && claim.is_armed(plan) {
        // Where it fails, the longer way says why, or succeeds: fs.protected_regular forbids O_CREAT on
        // others' files in sticky directories.
        if let Some(file) = sys::open_or_create(plan.path, plan.mode) {
            let origin = Origin::MadeOrFound;
            return Ok(Some(Opened { file, origin }));
        }
    }
    open_or_make_surely(plan, claim)
}

#[inline(never)] // mostly once
fn open_or_make_surely(plan: &Plan<'_>, claim: &Claim) -> Result<Option<Opened>, PidFileError> {
    match sys::open(plan.path, Access::ReadWrite) {
        Ok(file) => {
            let origin = Origin::Found;
            return Ok(Some(Opened { file, origin }));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => cannot_open(plan, error)?,
    }
    claim.arm(plan);
    match make(plan.path, plan.mode) {
        Ok(file) => {
            let origin = Origin::Made;
            Ok(Some(Opened { file, origin }))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(cannot_make(plan, error)),
    }
}

/// Makes a file, and first its directory if that is missing.
pub(crate) fn make(path: &FullPath, mode: u32) -> io::Result<OpenFile> {
    match sys::open_new(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            sys::create_directory(path.parent().unwrap_or(Path::new("/")))?;
            sys::open_new(path, mode)
        }
        other => other,
    }
}

/// Whether an empty file looks just like one that we make beside it to see. Where a file system keeps
/// neither the maker nor all of the mode, as FAT and SMB do, `Stat::is_unfinished` does not tell.
#[cold]
pub(crate) fn is_as_made_here(plan: &Plan<'_>, found: &Stat) -> bool {
    if found.kind() != Kind::Regular || found.links() != 1 || found.size() != 0 {
        return false;
    }
    let look_at_another = || -> Option<Stat> {
        let name = beside::private_name(plan, ThisProcess::current().pid(), 0).ok()?;
        let file = sys::open_new(&name, plan.mode | sys::UNFINISHED).ok()?;
        let made = sys::stat(&file).ok();
        let _ = sys::remove(&name);
        made
    };
    look_at_another().is_some_and(|made| made.uid() == found.uid() && made.mode() == found.mode())
}

/// `Ok` if what was in the way is gone: a symbolic link that somebody removed, for example.
fn cannot_open(plan: &Plan<'_>, error: io::Error) -> Result<(), PidFileError> {
    let denied = matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    );
    match sys::stat_path(plan.path) {
        Ok(stat) if stat.kind() == Kind::Regular && denied => {
            Err(locked_by_somebody(plan).unwrap_or_else(|| not_writable(plan, error)))
        }
        Err(gone)
            if gone.kind() == io::ErrorKind::NotFound && sys::is_about_what_was_there(&error) =>
        {
            Ok(())
        }
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
            Err(PidFileError::io("open", plan.path, error))
        }
        _ => Err(explain(plan, plan.path, error)),
    }
}

/// Why this file could not be opened.
pub(crate) fn explain(plan: &Plan<'_>, path: &FullPath, error: io::Error) -> PidFileError {
    if sys::is_name_too_long(&error) {
        return name_too_long(path);
    }
    match sys::stat_path(path) {
        Ok(stat) => match trust::unfit(stat.kind()) {
            Some(reason) => PidFileError::untrusted(path, reason),
            None => PidFileError::io("open", path, error),
        },
        Err(_) => blame_directory(plan, error),
    }
}

/// Tells "locked by PID n" from "permission denied" for who may read the file but not write it.
/// By a shared lock, because NFS grants an exclusive one only to who may write.
fn locked_by_somebody(plan: &Plan<'_>) -> Option<PidFileError> {
    let file = sys::open(plan.path, Access::Read).ok()?;
    if sys::try_lock_shared(&file).ok()? {
        let _ = sys::unlock(&file);
        return None;
    }
    let me = ThisProcess::current();
    let pid = record::read(&file, None).ok()?.pid();
    Some(PidFileError::locked(
        plan.path,
        pid.filter(|&pid| owner::can_be_holder(pid, me)),
    ))
}

fn not_writable(plan: &Plan<'_>, error: io::Error) -> PidFileError {
    let doing = format!("write, as {}, to", sys::current_user());
    PidFileError::io(&doing, plan.path, error)
}

/// Why the file could not be made.
pub(crate) fn cannot_make(plan: &Plan<'_>, error: io::Error) -> PidFileError {
    if sys::is_name_too_long(&error) {
        return name_too_long(plan.path);
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists => blame_directory(plan, error),
        _ => PidFileError::io("create", plan.path, error),
    }
}

/// The directory is in the way: how, and what to do about it.
fn blame_directory(plan: &Plan<'_>, error: io::Error) -> PidFileError {
    const CHOOSE: &str = "choose another with dir = \"...\"";
    let directory = plan.directory();
    let user = sys::current_user();
    let problem = match (error.kind(), sys::stat_directory(directory)) {
        (_, Ok(stat)) if stat.kind() != Kind::Directory => format!("is not a directory: {CHOOSE}"),
        (io::ErrorKind::NotADirectory, _) => format!("is not a directory: {CHOOSE}"),
        (io::ErrorKind::ReadOnlyFilesystem, _) => {
            format!("is on a read-only file system: {CHOOSE}")
        }
        (_, Ok(_)) => format!("is not writable by {user}: {CHOOSE}"),
        (_, Err(gone)) if gone.kind() == io::ErrorKind::NotFound => {
            format!("is not there, and {user} cannot make it: {CHOOSE}")
        }
        (_, Err(_)) => format!("cannot be reached by {user}: {CHOOSE}"),
    };
    PidFileError::directory(directory, &problem, error)
}

fn name_too_long(path: &Path) -> PidFileError {
    /// More than the system takes (PATH_MAX, limits.h(0p)), with its NUL; else it can only be the name.
    const TOO_LONG: usize = 4096;
    let (what, quoted, limit, len) = match path.as_os_str().len() {
        len @ TOO_LONG.. => ("path", path, "the system", len),
        _ => {
            let name = path.file_name().unwrap_or_default();
            ("name", Path::new(name), "its file system", name.len())
        }
    };
    PidFileError::configuration(format!(
        "pidfile {what} {} is too long for {limit}: {len} bytes",
        Quoted(quoted)
    ))
}
