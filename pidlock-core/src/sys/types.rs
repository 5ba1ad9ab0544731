//! What the platforms have in common.

use std::time::SystemTime;

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

/// The metadata of a file.
#[derive(Debug)]
pub(crate) struct Stat {
    pub(crate) id: FileId,
    pub(crate) file_type: FileType,
    pub(crate) links: u64,
    /// In bytes.
    pub(crate) size: u64,
    /// The permission bits, with the lock mark. 0 where there are none, as on Windows.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// `None` where the file system does not record it.
    pub(crate) created: Option<SystemTime>,
    /// When the contents last changed.
    pub(crate) modified: Option<SystemTime>,
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
