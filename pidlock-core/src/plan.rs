//! What to acquire, resolved and checked.

use std::ops::Deref;
use std::path::Path;

use crate::error::PidFileError;
use crate::sys::FullPath;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// Absolute: a later change of the working directory does not move it.
    pub(crate) path: &'a FullPath,
    pub(crate) settings: &'a Settings,
}

/// How to acquire it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) mode: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) lock: bool,
    pub(crate) reentrant: bool,
    pub(crate) keep: bool,
    pub(crate) on_signal: OnSignal,
    pub(crate) at_exit: bool,
}

const DEFAULT_MODE: u32 = 0o644;

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: DEFAULT_MODE,
            uid: None,
            gid: None,
            lock: true,
            reentrant: false,
            keep: false,
            on_signal: OnSignal::Auto,
            at_exit: true,
        }
    }
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

impl Settings {
    pub(crate) fn check(&self) -> Result<(), PidFileError> {
        if self.mode & !0o777 != 0 || self.mode & 0o600 != 0o600 {
            return Err(PidFileError::configuration(format!(
                "pidfile mode {:#o} cannot be: it must let the owner read and write (0o600), and \
                 may have no other than permission bits",
                self.mode
            )));
        }
        if self.uid == Some(u32::MAX) || self.gid == Some(u32::MAX) {
            return Err(PidFileError::configuration(format!(
                "pidfile owner {} cannot be: to the system it means no change, for which leave it out",
                u32::MAX
            )));
        }
        Ok(())
    }
}

impl Deref for Plan<'_> {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        self.settings
    }
}

impl<'a> Plan<'a> {
    /// The directory that the file is in.
    pub(crate) fn directory(&self) -> &'a Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}
