//! How to acquire a pidfile.

use std::path::Path;
use std::time::Duration;

use crate::error::{PidFileError, Result};
use crate::sys::{AbsPath, LOCK_MARK};

/// A pidfile and how to acquire it, validated.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: AbsPath,
    pub(crate) settings: Settings,
}

impl Target {
    /// The directory of the file.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// `None` is the default, [`DEFAULT_MODE`], which a file system need not keep.
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) lock: bool,
    pub(crate) reentrant: bool,
    pub(crate) keep: bool,
    pub(crate) on_signal: OnSignal,
    pub(crate) at_exit: bool,
    /// How long to wait for a holder. `None` is a refusal at once, and `Duration::MAX` for ever.
    pub(crate) timeout: Option<Duration>,
}

const DEFAULT_MODE: u32 = 0o644;

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: None,
            uid: None,
            gid: None,
            lock: true,
            reentrant: false,
            keep: false,
            on_signal: OnSignal::Auto,
            at_exit: true,
            timeout: None,
        }
    }
}

/// How to handle SIGTERM, SIGINT and SIGHUP: the value of [`PidFile::on_signal`](crate::PidFile::on_signal).
///
/// # Examples
///
/// A program that ignores SIGHUP, as under `nohup`, but should still remove its file on it:
///
/// ```no_run
/// use pidlock_core::{OnSignal, PidFile};
///
/// let guard = PidFile::new("my_app").on_signal(OnSignal::Force).acquire()?;
/// # drop(guard);
/// # Ok::<(), pidlock_core::PidFileError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnSignal {
    /// For each signal that has its default disposition when a pidfile is acquired: remove the
    /// pidfiles, then terminate by the signal, so that the parent sees the usual wait status.
    /// Handlers of the program are kept, and later ones take precedence: then the pidfile stays
    /// until the guard is dropped.
    #[default]
    Auto,
    /// Like `Auto`, but replaces existing handlers and ignored dispositions.
    Force,
    /// Install nothing. The pidfile stays, and the next start takes it over.
    Off,
}

impl Settings {
    pub(crate) fn validate(&self) -> Result<()> {
        // A start that cannot open the file for reading cannot tell whether it is stale.
        if let Some(mode) = self.mode.filter(|mode| mode & !0o377 != 0o400) {
            return Err(PidFileError::configuration(format!(
                "invalid pidfile mode {mode:#o}: only permission bits, of which 0o400 is required"
            )));
        }
        // chown(2) takes it for "unchanged".
        if [self.uid, self.gid].contains(&Some(u32::MAX)) {
            return Err(PidFileError::configuration(format!(
                "invalid pidfile owner {}; omit uid or gid to leave it unchanged",
                u32::MAX
            )));
        }
        Ok(())
    }

    /// The permission bits of the file, with the lock mark if it is locked.
    pub(crate) fn marked_mode(&self) -> u32 {
        self.permissions() | if self.lock { LOCK_MARK } else { 0 }
    }

    pub(crate) fn permissions(&self) -> u32 {
        self.mode.unwrap_or(DEFAULT_MODE)
    }
}
