//! The error type. Messages name the path, the process and the way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::sys;

/// Error returned by pidfile operations.
///
/// `{}` and `{:?}` print the same one-line message, so that the output of
/// `fn main() -> Result<(), PidFileError>` is readable. `{:#?}` prints the variant with its fields.
/// Control characters in a path are printed escaped, so a file name cannot send escape sequences
/// to the terminal.
///
/// The variants may get more fields, so a pattern ends with `..`.
///
/// # Examples
///
/// ```
/// use pidlock_core::{PidFile, PidFileError};
///
/// let file = PidFile::new("my_app_refused").temp_dir(true);
/// let _first = file.acquire()?;
/// match file.acquire() {
///     Err(PidFileError::AlreadyLocked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
///     other => panic!("expected a refusal, got {other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// The lock is held by another process, or by another guard in this one.
    #[error("pidfile {} already locked by {}", quoted(path), holder(*pid, *taken_by, *waited))]
    #[non_exhaustive]
    AlreadyLocked {
        /// The pidfile.
        path: PathBuf,
        /// The holder, if the recorded process exists. `None` if the holder has not written its PID. A
        /// holder in another PID namespace has written its PID there, which may be another process's
        /// here: [`PidFile::holder`](crate::PidFile::holder) tells them apart.
        pid: Option<u32>,
        /// How long the start has waited for the holder; `None` if it did not wait
        /// ([`PidFile::timeout`](crate::PidFile::timeout)).
        waited: Option<Duration>,
        // For the message only: the PID that the kernel lists where `pid` is not known. By now it may
        // be another process's.
        #[doc(hidden)]
        taken_by: Option<u32>,
    },

    /// The recorded process is running but does not hold the lock.
    ///
    /// It may have been started by a tool that does not lock, or it may be another program that
    /// got the PID of the process that wrote the file. Where start times of processes are known,
    /// the latter is recognised and does not keep a program from starting.
    #[error(
        "pidfile {}: process {pid} is running but does not hold the lock{}; if it is a different \
         program, remove the file",
        quoted(path), after(*waited)
    )]
    #[non_exhaustive]
    AlreadyRunning {
        /// The pidfile.
        path: PathBuf,
        /// The recorded process.
        pid: u32,
        /// How long the start has waited for that process; `None` if it did not wait.
        waited: Option<Duration>,
    },

    /// The file contains no PID, or more than a PID, and no process holds it. It is left as it is,
    /// because it may be a document. From [`PidGuard::verify`](crate::PidGuard::verify): another
    /// program has overwritten the PID of the holder.
    #[error("pidfile {} {reason}", quoted(path))]
    #[non_exhaustive]
    Unreadable {
        /// The pidfile.
        path: PathBuf,
        /// What is wrong with the contents, and what to do, as the predicate of a sentence about the
        /// file.
        reason: String,
    },

    /// The path refers to something that cannot be a pidfile: a symbolic link, a directory, a
    /// FIFO, a socket or a device. It is left as it is.
    #[error("pidfile {} cannot be used: {reason}", quoted(path))]
    #[non_exhaustive]
    Untrusted {
        /// The pidfile.
        path: PathBuf,
        /// What was found, and what to do.
        reason: String,
        /// [`IsADirectory`](io::ErrorKind::IsADirectory), or
        /// [`InvalidInput`](io::ErrorKind::InvalidInput) for everything else.
        kind: io::ErrorKind,
    },

    /// The path no longer refers to the file that this process locked: it was removed or replaced,
    /// its directory was moved, or this process changed its root directory. What is there now is
    /// left as it is.
    #[error(
        "pidfile {} is no longer the file that this process locked: it was removed or replaced",
        quoted(path)
    )]
    #[non_exhaustive]
    Replaced {
        /// The pidfile.
        path: PathBuf,
    },

    /// A reservation has not been committed: no child will commit it any more, or the time is over.
    #[error("pidfile {} was not committed by a child: {reason}", quoted(path))]
    #[non_exhaustive]
    NotCommitted {
        /// The pidfile.
        path: PathBuf,
        /// Which of the two, and why.
        reason: String,
    },

    /// The recorded process could not be confirmed as the holder, so it is not signalled.
    #[error("cannot {} {}: {reason}", confirm(*pid), quoted(path))]
    #[non_exhaustive]
    Unconfirmed {
        /// The pidfile.
        path: PathBuf,
        /// The recorded PID. It may be another process's: do not signal it.
        pid: Option<u32>,
        /// Why, and what to do.
        reason: String,
    },

    /// The settings are invalid.
    #[error("{message}")]
    #[non_exhaustive]
    Configuration {
        /// What is wrong, and what to do.
        message: String,
    },

    /// A system call failed.
    #[error("{message}: {source}")]
    #[non_exhaustive]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted, with the path in quotes.
        message: String,
        /// The error of the system. The message ends with it, so
        /// [`Error::source`](std::error::Error::source) returns `None` for it not to be printed
        /// twice.
        r#source: io::Error, // spelled so that thiserror does not return it from `source`
    },
}

impl PidFileError {
    /// The PID of the conflicting process, if known. That of an [`Unconfirmed`](Self::Unconfirmed)
    /// error may be another process's.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_error_pid").temp_dir(true);
    /// let _first = file.acquire()?;
    /// assert_eq!(file.acquire().unwrap_err().pid(), Some(std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::AlreadyLocked { pid, .. } | Self::Unconfirmed { pid, .. } => *pid,
            Self::AlreadyRunning { pid, .. } => Some(*pid),
            _ => None,
        }
    }

    /// The file or directory concerned; `None` for a [`Configuration`](Self::Configuration) error.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_error_path").temp_dir(true);
    /// let _first = file.acquire()?;
    /// assert_eq!(file.acquire().unwrap_err().path(), Some(file.path()?.as_path()));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.parts().1
    }

    /// Returns `true` if another instance is the cause: [`AlreadyLocked`](Self::AlreadyLocked) or
    /// [`AlreadyRunning`](Self::AlreadyRunning). No other error goes away by itself.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_error_is_contention").temp_dir(true);
    /// let _first = file.acquire()?;
    /// assert!(file.acquire().unwrap_err().is_contention());
    /// assert!(!PidFile::new("a/b").acquire().unwrap_err().is_contention());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_contention(&self) -> bool {
        matches!(
            self,
            Self::AlreadyLocked { .. } | Self::AlreadyRunning { .. }
        )
    }

    /// The name of the variant, the path, and the kind of the `io::Error`.
    fn parts(&self) -> (&'static str, Option<&Path>, io::ErrorKind) {
        use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, WouldBlock};
        match self {
            Self::AlreadyLocked { path, .. } => ("AlreadyLocked", Some(path), WouldBlock),
            Self::AlreadyRunning { path, .. } => ("AlreadyRunning", Some(path), WouldBlock),
            Self::Unreadable { path, .. } => ("Unreadable", Some(path), InvalidData),
            Self::Untrusted { path, kind, .. } => ("Untrusted", Some(path), *kind),
            Self::Replaced { path } => ("Replaced", Some(path), NotFound),
            Self::NotCommitted { path, .. } => ("NotCommitted", Some(path), Other),
            Self::Unconfirmed { path, .. } => ("Unconfirmed", Some(path), Other),
            Self::Configuration { .. } => ("Configuration", None, InvalidInput),
            Self::Io { path, source, .. } => ("Io", Some(path), source.kind()),
        }
    }

    pub(crate) fn locked(path: &Path, pid: Option<u32>) -> Self {
        Self::AlreadyLocked {
            path: path.to_owned(),
            pid,
            waited: None,
            taken_by: None,
        }
    }

    pub(crate) fn running(path: &Path, pid: u32) -> Self {
        let (path, waited) = (path.to_owned(), None);
        Self::AlreadyRunning { path, pid, waited }
    }

    /// A refusal that comes after a wait.
    pub(crate) fn after(mut self, time: Duration) -> Self {
        if let Self::AlreadyLocked { waited, .. } | Self::AlreadyRunning { waited, .. } = &mut self
        {
            *waited = Some(time);
        }
        self
    }

    /// `reason` follows the path: "does not contain a PID".
    pub(crate) fn unreadable(path: &Path, reason: impl Into<String>) -> Self {
        let (path, reason) = (path.to_owned(), reason.into());
        Self::Unreadable { path, reason }
    }

    pub(crate) fn untrusted(path: &Path, reason: &str, kind: io::ErrorKind) -> Self {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        Self::Untrusted { path, reason, kind }
    }

    pub(crate) fn replaced(path: &Path) -> Self {
        let path = path.to_owned();
        Self::Replaced { path }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Configuration { message }
    }

    /// `doing` completes "cannot ... pidfile 'path'", for example "lock".
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let message = format!("cannot {doing} pidfile {}", quoted(path));
        Self::system(path, message, source)
    }

    pub(crate) fn system(path: &Path, message: String, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            path,
            message,
            source,
        }
    }

    /// The error may be gone once another program closes the file.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Io { source, .. } if sys::is_in_use(source))
    }

    /// The attempts that an acquisition may make have run out.
    pub(crate) fn gave_up(path: &Path, why: &str) -> Self {
        let error = io::Error::new(io::ErrorKind::TimedOut, why);
        Self::io("acquire", path, error)
    }
}

pub(crate) type Result<T, E = PidFileError> = std::result::Result<T, E>;

/// Says what a system call was made for.
pub(crate) trait During<T> {
    /// `doing` completes "cannot ... pidfile 'path'".
    fn during(self, doing: &str, path: &Path) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|error| PidFileError::io(doing, path, error))
    }
}

impl fmt::Debug for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let (name, path, _) = self.parts();
        let mut variant = f.debug_struct(name);
        variant.field("path", &path);
        variant.field("pid", &self.pid());
        variant.field("message", &self.to_string());
        variant.finish_non_exhaustive()
    }
}

/// The kind of the `io::Error` is
///
/// - [`WouldBlock`](io::ErrorKind::WouldBlock) for [`AlreadyLocked`](PidFileError::AlreadyLocked)
///   and [`AlreadyRunning`](PidFileError::AlreadyRunning),
/// - [`InvalidData`](io::ErrorKind::InvalidData) for [`Unreadable`](PidFileError::Unreadable),
/// - [`IsADirectory`](io::ErrorKind::IsADirectory) or
///   [`InvalidInput`](io::ErrorKind::InvalidInput) for [`Untrusted`](PidFileError::Untrusted),
/// - [`NotFound`](io::ErrorKind::NotFound) for [`Replaced`](PidFileError::Replaced),
/// - [`Other`](io::ErrorKind::Other) for [`NotCommitted`](PidFileError::NotCommitted) and
///   [`Unconfirmed`](PidFileError::Unconfirmed),
/// - [`InvalidInput`](io::ErrorKind::InvalidInput) for
///   [`Configuration`](PidFileError::Configuration),
/// - the kind of its source for [`Io`](PidFileError::Io): `PermissionDenied` for a stale file that
///   may not be removed or a process that may not be signalled, `TimedOut` for a start that gave up
///   or a holder that did not stop.
///
/// The error itself is the payload ([`io::Error::get_ref`]), so its message is kept.
///
/// ```
/// use pidlock_core::PidFile;
///
/// fn start() -> std::io::Result<()> {
///     let _guard = PidFile::new("not/a/name").acquire()?;
///     Ok(())
/// }
/// assert_eq!(start().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// ```
impl From<PidFileError> for io::Error {
    fn from(error: PidFileError) -> Self {
        io::Error::new(error.parts().2, error)
    }
}

/// A path in quotes, with control characters escaped (`\u{1b}`).
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", escaped(&path.to_string_lossy()))
}

/// Text from a file or a path, with control characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match needs_escape(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Control characters, and those that break a line or reverse the direction of the text, so that a
/// name would be read as something else.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn holder(pid: Option<u32>, taken_by: Option<u32>, waited: Option<Duration>) -> String {
    let after = after(waited);
    match (pid, taken_by) {
        (Some(pid), _) if pid == std::process::id() => {
            format!("this process (PID {pid}){after}: `reentrant` lets it acquire again")
        }
        (Some(pid), _) => format!("PID {pid}{after}"),
        (None, Some(pid)) => {
            format!("an unknown process{after}; according to /proc/locks, PID {pid} took the lock")
        }
        (None, None) => format!("an unknown process{after}"),
    }
}

/// What could not be done about a pidfile.
fn confirm(pid: Option<u32>) -> String {
    pid.map_or("find the process that holds pidfile".into(), |pid| {
        format!("confirm that process {pid} holds pidfile")
    })
}

/// The end of the sentence about a holder.
fn after(waited: Option<Duration>) -> String {
    waited.map_or(String::new(), |time| {
        format!(" after waiting for {time:.1?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn is_send_sync_and_static() {
        fn check<T: Send + Sync + 'static + std::error::Error>() {}
        check::<PidFileError>();
    }

    #[test]
    fn debug_is_the_message_and_alternate_debug_the_structure() {
        let error = PidFileError::locked(Path::new("/run/my_app_daemon.pid"), Some(12345));
        let message = "pidfile '/run/my_app_daemon.pid' already locked by PID 12345";
        assert_eq!(error.to_string(), message);
        assert_eq!(format!("{error:?}"), message);
        let structure = format!("{error:#?}");
        assert!(structure.starts_with("AlreadyLocked {"), "{structure}");
        assert!(structure.contains("pid: Some("), "{structure}");
    }

    #[test]
    fn already_locked_by_this_process_names_the_way_out() {
        let own = std::process::id();
        let error = PidFileError::locked(Path::new("/run/a.pid"), Some(own));
        let message = format!(
            "pidfile '/run/a.pid' already locked by this process (PID {own}): `reentrant` lets it \
             acquire again"
        );
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn process_that_took_the_lock_is_named_in_the_message_only() {
        let error = PidFileError::AlreadyLocked {
            path: "/run/a.pid".into(),
            pid: None,
            waited: None,
            taken_by: Some(12345),
        };
        assert_eq!(error.pid(), None);
        assert!(error.to_string().contains("PID 12345"), "{error}");
    }

    #[test]
    fn already_running_names_the_process_and_the_way_out() {
        let message = PidFileError::running(Path::new("/run/a.pid"), 12345).to_string();
        assert!(
            message.starts_with("pidfile '/run/a.pid': process 12345 is running"),
            "{message}"
        );
        assert!(message.contains("remove the file"), "{message}");
    }

    #[test]
    fn refusal_after_a_wait_says_how_long_it_waited_and_for_which_process() {
        let path = Path::new("/run/a.pid");
        let error = PidFileError::locked(path, Some(7)).after(Duration::from_millis(1_502));
        let message = "pidfile '/run/a.pid' already locked by PID 7 after waiting for 1.5s";
        assert_eq!(error.to_string(), message);
        let error = PidFileError::running(path, 7).after(Duration::from_millis(20));
        let message = "process 7 is running but does not hold the lock after waiting for 20.0ms;";
        assert!(error.to_string().contains(message), "{error}");
    }

    #[test]
    fn terminal_sequences_are_written_out() {
        let error = PidFileError::replaced(Path::new("/run/\u{1b}[2J\u{9b}\n\u{202e}x.pid"));
        let message = error.to_string();
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert!(
            message.contains(r"\u{1b}[2J\u{9b}\n\u{202e}x.pid"),
            "{message}"
        );
    }

    #[test]
    fn io_error_keeps_kind_and_message_and_says_them_once() {
        let error = PidFileError::io(
            "open",
            Path::new("/run/a.pid"),
            io::Error::from(io::ErrorKind::PermissionDenied),
        );
        assert!(
            error.source().is_none(),
            "the operating system's message would be printed twice"
        );
        let message = error.to_string();
        let converted = io::Error::from(error);
        assert_eq!(converted.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(converted.to_string(), message);
    }

    #[test]
    fn every_variant_keeps_its_kind() {
        let path = Path::new("/run/a.pid");
        for (error, kind) in [
            (PidFileError::locked(path, None), io::ErrorKind::WouldBlock),
            (PidFileError::running(path, 7), io::ErrorKind::WouldBlock),
            (
                PidFileError::unreadable(path, "notes"),
                io::ErrorKind::InvalidData,
            ),
            (
                PidFileError::untrusted(path, "a link", io::ErrorKind::InvalidInput),
                io::ErrorKind::InvalidInput,
            ),
            (PidFileError::replaced(path), io::ErrorKind::NotFound),
            (
                PidFileError::Unconfirmed {
                    path: path.to_owned(),
                    pid: Some(7),
                    reason: "it is gone".to_owned(),
                },
                io::ErrorKind::Other,
            ),
            (
                PidFileError::configuration("no"),
                io::ErrorKind::InvalidInput,
            ),
            (PidFileError::gave_up(path, "no"), io::ErrorKind::TimedOut),
        ] {
            let message = error.to_string();
            let converted = io::Error::from(error);
            assert_eq!(converted.kind(), kind, "{message}");
        }
    }

    #[test]
    fn contention_would_block() {
        let error = PidFileError::running(Path::new("/run/a.pid"), 7);
        assert!(error.is_contention());
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    }
}
