//! The operating system, behind the same function names on every platform.
//!
//! Nothing above this module names a system call, and nothing in it knows the protocol.

use std::time::SystemTime;

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

/// What makes two looks at a file looks at the same file, for as long as one of them keeps it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Stat {
    /// Whether a start made the file, and has not come to more yet: `open_or_create` did, here or in
    /// a process that ended there. A FIFO or a second name is nothing that it makes.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.mode() & UNFINISHED != 0
            && self.kind() == Kind::Regular
            && self.links() == 1
            && self.size() == 0
    }
}

/// What sort of thing is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Device,
}

/// What can be learned about the process that has a given number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// There is no such process: never was, ended, a zombie, or the number is a thread's.
    Gone,
    /// It runs; since when, where the platform tells.
    Running {
        since: Option<SystemTime>,
        /// It was killed, or exits: it runs nothing of its program any more, but may not have let go
        /// yet of all that it held, files and ports for example.
        ending: bool,
    },
}
