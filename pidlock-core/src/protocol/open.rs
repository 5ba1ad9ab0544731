//! Opens or creates the pidfile, and explains why that failed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::cleanup;
use crate::error::{During, PidFileError, Result, quoted};
use crate::settings::Target;
use crate::sys::{self, AbsPath, Access, FileType, Stat};

/// The file that a start has opened.
pub(super) struct OpenFile {
    pub(super) file: File,
    /// The start has created the file.
    pub(super) created: bool,
    /// Without write access, the file can be locked, and replaced if it is stale.
    pub(super) writable: bool,
    /// The number of forks before the file was opened. A child that was forked since may share the
    /// file.
    pub(super) forks: u32,
}

/// Opens the file, or else creates it. `None` if the file appeared or disappeared in between, or if
/// this process has no permission to open it and `may_retry` allows another attempt.
pub(super) fn open_or_create(
    target: &Target,
    may_retry: impl FnOnce() -> bool,
) -> Result<Option<OpenFile>> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let path = &target.path;
    let forks = sys::fork_count();
    let opened = |file, created, writable| {
        Ok(Some(OpenFile {
            file,
            created,
            writable,
            forks,
        }))
    };
    match sys::open(path, Access::ReadWrite) {
        Ok(file) => return opened(file, false, true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if sys::is_removed(&error) => return Ok(None),
        Err(error) => {
            if let PermissionDenied | ReadOnlyFilesystem = error.kind() {
                if let Ok(file) = sys::open(path, Access::Read) {
                    return opened(file, false, false);
                }
                // Another user's start may have just created the file. Until that start sets the
                // mode, its umask restricts the file, so this process may get access in a moment.
                if may_retry() {
                    return Ok(None);
                }
            }
            match sys::stat_path(path) {
                // The file that could not be opened is gone, so create one. If it reappears, that
                // fails, and the error explains why.
                Err(gone) if sys::is_removed(&gone) && sys::may_be_transient(&error) => {}
                _ => return Err(open_error(target, path, error)),
            }
        }
    }
    // Handlers are installed before the file is created, so that a signal removes it, but not
    // earlier, because a start that finds the file held must not change signal dispositions.
    cleanup::install_handlers(target.settings.on_signal);
    match create(path, target.settings.marked_mode()) {
        Ok(file) => opened(file, true, true),
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::StaleNetworkFileHandle => Ok(None),
            _ => Err(directory_error(target, "create", error)),
        },
    }
}

/// Opens a regular file for reading. `None` if there is none.
pub(crate) fn open_existing(target: &Target, path: &AbsPath) -> Result<Option<(File, Stat)>> {
    let file = match sys::open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if sys::is_removed(&error) => return Ok(None),
        Err(error) => return Err(open_error(target, path, error)),
    };
    let Some(stat) = sys::unless_removed(sys::stat(&file)).during("inspect", path)? else {
        return Ok(None);
    };
    check_file_type(path, stat.file_type)?;
    Ok(Some((file, stat)))
}

/// Creates a file, and its directory if that is missing.
pub(crate) fn create(path: &AbsPath, mode: u32) -> io::Result<File> {
    match sys::create(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let created = sys::create_directory(path.parent().unwrap_or(Path::new("/")));
            created.map_err(|error| match error.kind() {
                // Not the pidfile, but what is in the place of a directory.
                io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
                _ => error,
            })?;
            sys::create(path, mode)
        }
        result => result,
    }
}

/// Explains why the file could not be opened.
fn open_error(target: &Target, path: &AbsPath, error: io::Error) -> PidFileError {
    let Ok(stat) = sys::stat_path(path) else {
        return directory_error(target, "open", error);
    };
    if let Err(wrong_type) = check_file_type(path, stat.file_type) {
        return wrong_type;
    }
    if sys::is_in_use(&error) {
        return PidFileError::io("open", path, error);
    }
    let (name, owner, user) = (quoted(path), sys::user(stat.uid), sys::current_user());
    let message = format!("cannot open pidfile {name} of {owner} as {user}");
    PidFileError::system(path, message, error)
}

/// Only a regular file can be a pidfile.
pub(crate) fn check_file_type(path: &Path, file_type: FileType) -> Result<()> {
    let reason = match file_type {
        FileType::Regular => return Ok(()),
        FileType::Directory => "it is a directory; choose another name",
        FileType::Symlink => "it is a symbolic link; remove it or use the target path",
        FileType::Fifo => "it is a FIFO; remove it or choose another name",
        FileType::Socket => "it is a socket; remove it or choose another name",
        FileType::Device => "it is a device; choose another name",
    };
    let kind = match file_type {
        FileType::Directory => io::ErrorKind::IsADirectory,
        _ => io::ErrorKind::InvalidInput,
    };
    Err(PidFileError::untrusted(path, reason, kind))
}

/// Explains why the file could not be created, or opened although it may be there.
pub(super) fn directory_error(target: &Target, doing: &str, error: io::Error) -> PidFileError {
    use io::ErrorKind::*;
    let (AlreadyExists | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem) =
        error.kind()
    else {
        // The directory is not the cause, but too many open files, for example. So do not suggest
        // another one.
        return PidFileError::io(doing, &target.path, error);
    };
    let directory = target.directory();
    let user = sys::current_user();
    let problem = match (error.kind(), obstacle(directory), fs::metadata(directory)) {
        (_, Some((place, problem)), _) if place == directory => problem.to_owned(),
        (_, Some((place, problem)), _) => {
            format!("is not a directory, because {} {problem}", quoted(place))
        }
        (ReadOnlyFilesystem, ..) => "is on a read-only file system".to_owned(),
        (_, _, Ok(_)) => format!("is not writable by {user}"),
        (_, _, Err(missing)) if missing.kind() == NotFound => {
            format!("does not exist and cannot be created by {user}")
        }
        (_, _, Err(_)) => format!("cannot be reached by {user}"),
    };
    let directory_name = quoted(directory);
    let message =
        format!("pidfile directory {directory_name} {problem}: choose another with dir = \"...\"");
    PidFileError::system(directory, message, error)
}

/// What stands in the place of the directory, or of one that contains it.
fn obstacle(directory: &Path) -> Option<(&Path, &'static str)> {
    let problem = |place: &Path| match fs::metadata(place) {
        Ok(metadata) if !metadata.is_dir() => Some("is not a directory"),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && place.is_symlink() => {
            Some("is a link to nothing")
        }
        _ => None,
    };
    (directory.ancestors()).find_map(|place| problem(place).map(|problem| (place, problem)))
}
