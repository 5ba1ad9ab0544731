//! Opens or creates the pidfile, and explains why that failed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::cleanup::CriticalSection;
use crate::error::{PidFileError, Quoted};
use crate::settings::Target;
use crate::sys::{self, AbsPath, Access, FileType, LOCK_MARK};

/// A file that may be the pidfile.
pub(crate) struct OpenedFile {
    pub(crate) file: File,
    pub(crate) created: bool,
    pub(crate) writable: bool,
}

/// Opens the file, or else creates it. `None` if it appeared or disappeared in between.
pub(crate) fn open_or_create(
    target: &Target,
    section: &CriticalSection,
) -> Result<Option<OpenedFile>, PidFileError> {
    match sys::open(&target.path, Access::ReadWrite) {
        Ok(file) => return Ok(Some(found(file, true))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if sys::is_removed(&error) => return Ok(None),
        Err(error) => {
            if let Some(opened) = open_read_only(target, error)? {
                return Ok(Some(opened));
            }
        }
    }
    section.install_handlers(target.settings.on_signal);
    match create(&target.path, target.settings.permissions() | LOCK_MARK) {
        Ok(file) => Ok(Some(OpenedFile {
            file,
            created: true,
            writable: true,
        })),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(create_error(target, error)),
    }
}

fn found(file: File, writable: bool) -> OpenedFile {
    OpenedFile {
        file,
        created: false,
        writable,
    }
}

/// A file that can be read can be locked, and a stale one replaced. `None` if there is no file.
fn open_read_only(target: &Target, error: io::Error) -> Result<Option<OpenedFile>, PidFileError> {
    let is_denied = matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    );
    if is_denied {
        if let Ok(file) = sys::open(&target.path, Access::Read) {
            return Ok(Some(found(file, false)));
        }
    }
    match sys::stat_path(&target.path) {
        // What was in the way is gone. If it is in the way again, creating the file will tell.
        Err(gone) if sys::is_removed(&gone) && sys::may_be_transient(&error) => Ok(None),
        _ => Err(open_error(target, &target.path, error)),
    }
}

/// Creates a file, and its directory if that is missing.
pub(crate) fn create(path: &AbsPath, mode: u32) -> io::Result<File> {
    match sys::create(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            sys::create_directory(path.parent().unwrap_or(Path::new("/")))?;
            sys::create(path, mode)
        }
        result => result,
    }
}

/// Explains why the file could not be opened.
pub(crate) fn open_error(target: &Target, path: &AbsPath, error: io::Error) -> PidFileError {
    if sys::is_name_too_long(&error) {
        return name_too_long(path);
    }
    match sys::stat_path(path) {
        Ok(stat) => match check_file_type(path, stat.file_type) {
            Err(wrong_type) => wrong_type,
            Ok(()) if error.kind() == io::ErrorKind::PermissionDenied => {
                let doing = format!("read, as {},", sys::current_user());
                PidFileError::io(&doing, path, error)
            }
            Ok(()) => PidFileError::io("open", path, error),
        },
        Err(_) => directory_error(target, error),
    }
}

/// Only a regular file can be a pidfile.
pub(crate) fn check_file_type(path: &Path, file_type: FileType) -> Result<(), PidFileError> {
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

/// Explains why the file could not be created.
pub(crate) fn create_error(target: &Target, error: io::Error) -> PidFileError {
    if sys::is_name_too_long(&error) {
        return name_too_long(&target.path);
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists => directory_error(target, error),
        _ => PidFileError::io("create", &target.path, error),
    }
}

fn directory_error(target: &Target, error: io::Error) -> PidFileError {
    const CHOOSE: &str = "choose another with dir = \"...\"";
    let directory = target.directory();
    let user = sys::current_user();
    let problem = match (error.kind(), fs::metadata(directory)) {
        (_, Ok(metadata)) if !metadata.is_dir() => "is not a directory".to_owned(),
        (io::ErrorKind::NotADirectory, _) => "is not a directory".to_owned(),
        (io::ErrorKind::ReadOnlyFilesystem, _) => "is on a read-only file system".to_owned(),
        (_, Ok(_)) => format!("is not writable by {user}"),
        (_, Err(missing)) if missing.kind() == io::ErrorKind::NotFound => {
            format!("does not exist and cannot be created by {user}")
        }
        (_, Err(_)) => format!("cannot be reached by {user}"),
    };
    let message = format!(
        "pidfile directory {} {problem}: {CHOOSE}",
        Quoted(directory)
    );
    PidFileError::system(directory, message, error)
}

fn name_too_long(path: &Path) -> PidFileError {
    /// PATH_MAX, with the NUL (limits.h(0p)). A shorter path has a component that is too long.
    const PATH_MAX: usize = 4096;
    let (what, quoted, limit, len) = match path.as_os_str().len() {
        len @ PATH_MAX.. => ("path", path, "the system", len),
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
