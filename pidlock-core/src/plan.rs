//! What to acquire, resolved and checked.

use std::path::Path;

use crate::sys::FullPath;

#[derive(Debug)]
pub(crate) struct Plan {
    /// Absolute: a later change of the working directory does not move it.
    pub(crate) path: FullPath,
    pub(crate) mode: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) lock: bool,
    pub(crate) reentrant: bool,
    pub(crate) keep: bool,
    pub(crate) on_signal: OnSignal,
    pub(crate) at_exit: bool,
}

/// What to do about the signals SIGTERM, SIGINT and SIGHUP, of which a program dies unless it
/// handles them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnSignal {
    /// Where a signal has its default effect when the first pidfile is acquired, remove the
    /// pidfiles and let it have that effect: the program dies of it, and its parent sees so.
    /// A handler that the program has is left alone, and one that it installs later has its way:
    /// the pidfile is there until the guard is dropped.
    #[default]
    Auto,
    /// As `Auto`, but over whatever handler is there, and over a signal that is ignored.
    Force,
    /// Leave the signals, and the pidfile when one comes, alone: the next start takes it over.
    Ignore,
}

impl Plan {
    /// The directory that the file is in.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}
