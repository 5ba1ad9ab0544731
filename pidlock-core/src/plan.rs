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
    Off,
}

impl Settings {
    #[inline]
    pub(crate) fn check(&self) -> Result<(), PidFileError> {
        // Besides those of the owner, any permission bits.
        if self.mode & !0o177 != 0o600 {
            return Err(bad_mode(self.mode));
        }
        match self.changes_owner() {
            true => self.check_owner(),
            false => Ok(()),
        }
    }

    /// Whether the file is to belong to somebody in particular.
    #[inline]
    pub(crate) fn changes_owner(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    #[cold]
    fn check_owner(&self) -> Result<(), PidFileError> {
        // What chown(2) takes for "leave it".
        const NO_CHANGE: Option<u32> = Some(u32::MAX);
        if self.uid != NO_CHANGE && self.gid != NO_CHANGE {
            return Ok(());
        }
        Err(PidFileError::configuration(format!(
            "pidfile owner {} cannot be: to the system it means no change, for which leave it out",
            u32::MAX
        )))
    }
}

#[cold]
fn bad_mode(mode: u32) -> PidFileError {
    PidFileError::configuration(format!(
        "pidfile mode {mode:#o} cannot be: it must let the owner read and write (0o600), and \
         may have no other than permission bits"
    ))
}

impl Deref for Plan<'_> {
    type Target = Settings;

    #[inline]
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
