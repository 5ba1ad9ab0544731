//! The operating system, behind the same function names on every platform.
//!
//! Only this module and `cleanup` call the system directly, and nothing in here knows the protocol.

use std::io;
use std::time::SystemTime;

mod atomic_ref;
pub(crate) use atomic_ref::AtomicRef;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

/// Identifies a file for as long as one descriptor of it stays open: an inode number is reused only
/// after the last one is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileType {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Device,
}

/// What is known about the process with a given PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessState {
    /// There is no such process, it is a zombie, or the ID is a thread's.
    Gone,
    Running {
        /// `None` where the platform does not tell, or hides it from this user.
        started: Option<SystemTime>,
        /// The process is exiting. It runs no more code of its program, but may still hold files.
        exiting: bool,
    },
}

/// The result of a call, or `None` if the file that it is about was removed. Network and FUSE file
/// systems report that even for an open file.
pub(crate) fn unless_removed<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_removed(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the path refers to this file. Async-signal-safe.
pub(crate) fn path_refers_to(path: &AbsPath, id: FileId) -> io::Result<bool> {
    stat_if_named(path, id).map(|stat| stat.is_some())
}

/// The metadata of this file, if the path refers to it.
pub(crate) fn stat_if_named(path: &AbsPath, id: FileId) -> io::Result<Option<Stat>> {
    let stat = unless_removed(stat_path(path))?;
    // NFS can show a removed name, without links, for a moment.
    Ok(stat.filter(|stat| stat.id == id && stat.links > 0))
}
