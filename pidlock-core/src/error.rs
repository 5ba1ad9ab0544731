//! What can go wrong, in words that name the path, the process and the way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a pidfile could not be acquired, looked at, verified or given back.
///
/// `Debug` prints the same sentence as `Display`, so that
/// `fn main() -> Result<(), PidFileError>` ends with something a person can read.
/// Control characters in a path are printed escaped: a message never carries a terminal
/// escape sequence out of a file name.
///
/// New variants and new fields may come, hence `#[non_exhaustive]`.
/// No type of a dependency appears here.
///
/// # Examples
///
/// ```
/// use pidlock_core::{PidFile, PidFileError};
///
/// # let dir = tempfile::tempdir()?;
/// let file = PidFile::at(dir.path().join("app.pid"));
/// let _first = file.acquire()?;
/// match file.acquire() {
///     Err(PidFileError::AlreadyLocked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
///     other => panic!("expected a refusal, got {other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum PidFileError {
    /// Another process, or another guard of this one, holds the lock.
    #[non_exhaustive]
    AlreadyLocked {
        /// The pidfile.
        path: PathBuf,
        /// The holder, if its PID could be read and belongs to a live process here. A holder in
        /// another PID namespace, or one that never wrote its PID, is not known.
        pid: Option<u32>,
    },

    /// The file names a live process that does not hold the lock.
    ///
    /// It may be the same program started by a tool that does not lock, or a stranger that got
    /// the PID of a holder long gone; the latter is recognised, on Linux, by its start time.
    #[non_exhaustive]
    AlreadyRunning {
        /// The pidfile.
        path: PathBuf,
        /// The live process that the file names.
        pid: u32,
    },

    /// The file holds something else than one PID, and was left as it is: it may be a document.
    #[non_exhaustive]
    Unreadable {
        /// The pidfile.
        path: PathBuf,
        /// What is wrong with the contents.
        reason: String,
    },

    /// What is at the path is not a file that may be written to, and it was left as it is: a
    /// symbolic link, a directory, a device, a file with other links, or another user's file in
    /// a directory that others may write to.
    #[non_exhaustive]
    Untrusted {
        /// The pidfile.
        path: PathBuf,
        /// What was found, and the way out.
        reason: String,
    },

    /// The path no longer names the file that this process locked: somebody removed or replaced
    /// it, or moved its directory, or this process changed its root directory. What is there now
    /// was left alone.
    #[non_exhaustive]
    Replaced {
        /// The pidfile.
        path: PathBuf,
    },

    /// The builder was asked for something that cannot be.
    #[non_exhaustive]
    Configuration {
        /// What is wrong, and what would be right.
        message: String,
    },

    /// The operating system refused a call.
    #[non_exhaustive]
    Io {
        /// The file or directory that the call was about.
        path: PathBuf,
        /// What was being done, with the path in quotes.
        message: String,
        /// The operating system's answer. It is part of the message already, so
        /// [`source`](std::error::Error::source) does not repeat it.
        source: io::Error,
    },
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyLocked { path, pid } => write!(
                f,
                "pidfile {} already locked by {}",
                Quoted(path),
                Holder(*pid)
            ),
            Self::AlreadyRunning { path, pid } => write!(
                f,
                "pidfile {}: already running (pid {pid}){}",
                Quoted(path),
                Unlocked(*pid)
            ),
            Self::Unreadable { path, reason } => write!(
                f,
                "pidfile {} does not hold a PID: {reason}; remove the file if nobody needs it",
                Quoted(path)
            ),
            Self::Untrusted { path, reason } => {
                write!(f, "pidfile {} is not to be trusted: {reason}", Quoted(path))
            }
            Self::Replaced { path } => write!(
                f,
                "pidfile {} is not the file any more that this process locked: \
                 it was removed, replaced or moved out of reach",
                Quoted(path)
            ),
            Self::Configuration { message } => f.write_str(message),
            Self::Io {
                message, source, ..
            } => write!(f, "{message}: {source}"),
        }
    }
}

/// By hand: thiserror would make the field `source` the [`source`](std::error::Error::source), and
/// a report that prints the chain would print its text twice.
impl std::error::Error for PidFileError {}

impl PidFileError {
    /// The process that stands in the way, where one is known.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::at(dir.path().join("app.pid"));
    /// let _first = file.acquire()?;
    /// assert_eq!(file.acquire().unwrap_err().pid(), Some(std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::AlreadyLocked { pid, .. } => *pid,
            Self::AlreadyRunning { pid, .. } => Some(*pid),
            _ => None,
        }
    }

    /// The file or directory concerned; `None` for a [`Configuration`](Self::Configuration) error.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("app.pid");
    /// std::fs::write(&path, "notes")?;
    /// let error = PidFile::at(&path).acquire().unwrap_err();
    /// assert_eq!(error.path(), Some(path.as_path()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::AlreadyLocked { path, .. }
            | Self::AlreadyRunning { path, .. }
            | Self::Unreadable { path, .. }
            | Self::Untrusted { path, .. }
            | Self::Replaced { path }
            | Self::Io { path, .. } => Some(path),
            Self::Configuration { .. } => None,
        }
    }

    /// Whether another instance is the reason: [`AlreadyLocked`](Self::AlreadyLocked) or
    /// [`AlreadyRunning`](Self::AlreadyRunning). Everything else is a fault to be repaired.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::at(dir.path().join("app.pid"));
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

    pub(crate) fn locked(path: &Path, pid: Option<u32>) -> Self {
        Self::AlreadyLocked {
            path: path.to_owned(),
            pid,
        }
    }

    pub(crate) fn running(path: &Path, pid: u32) -> Self {
        Self::AlreadyRunning {
            path: path.to_owned(),
            pid,
        }
    }

    pub(crate) fn unreadable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn untrusted(path: &Path, reason: impl Into<String>) -> Self {
        Self::Untrusted {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn replaced(path: &Path) -> Self {
        Self::Replaced {
            path: path.to_owned(),
        }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration {
            message: message.into(),
        }
    }

    /// `doing` completes "cannot ... pidfile 'path'", for example "lock".
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            message: format!("cannot {doing} pidfile {}", Quoted(path)),
            source,
        }
    }

    /// The rounds that an acquisition may take have run out.
    pub(crate) fn gave_up(path: &Path, why: &str) -> Self {
        Self::io(
            "acquire",
            path,
            io::Error::new(io::ErrorKind::TimedOut, why),
        )
    }

    pub(crate) fn directory(path: &Path, problem: &str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            message: format!("pidfile directory {} {problem}", Quoted(path)),
            source,
        }
    }
}

impl fmt::Debug for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Keeps the kind: contention is [`WouldBlock`](io::ErrorKind::WouldBlock), an [`Io`](PidFileError::Io)
/// error keeps its own. The pidfile error itself is the payload
/// ([`io::Error::get_ref`]), so nothing of the message is lost.
///
/// ```
/// # use pidlock_core::PidFile;
/// fn start() -> std::io::Result<()> {
///     let _guard = PidFile::new("not/a/name").acquire()?;
///     Ok(())
/// }
/// assert_eq!(start().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// ```
impl From<PidFileError> for io::Error {
    fn from(error: PidFileError) -> Self {
        let kind = match &error {
            PidFileError::AlreadyLocked { .. } | PidFileError::AlreadyRunning { .. } => {
                io::ErrorKind::WouldBlock
            }
            PidFileError::Unreadable { .. } => io::ErrorKind::InvalidData,
            PidFileError::Untrusted { .. } => io::ErrorKind::PermissionDenied,
            PidFileError::Replaced { .. } => io::ErrorKind::NotFound,
            PidFileError::Configuration { .. } => io::ErrorKind::InvalidInput,
            PidFileError::Io { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}

/// A path between quotes, with what a terminal would obey written out (`\u{1b}`).
pub(crate) struct Quoted<'a>(pub(crate) &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        write_printable(f, &self.0.to_string_lossy())?;
        f.write_str("'")
    }
}

/// Text from outside, with what a terminal would obey written out.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_printable(f, self.0)
    }
}

fn write_printable(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    // Piece by piece, not character by character: each can be a system call on its own, and on stderr
    // is.
    let mut rest = text;
    while let Some(start) = rest.find(deceives) {
        let (harmless, behind) = rest.split_at(start);
        f.write_str(harmless)?;
        let mut behind = behind.chars();
        if let Some(c) = behind.next() {
            write!(f, "{}", c.escape_default())?;
        }
        rest = behind.as_str();
    }
    f.write_str(rest)
}

/// The control characters (C0, DEL, C1), and those that would make a file name with a line or paragraph
/// separator, or with reversed text, read as something else.
fn deceives(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is odd about a live process that the file names, and the way out.
struct Unlocked(u32);

impl fmt::Display for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To remove one's own file is no way out.
        f.write_str(if self.0 == std::process::id() {
            ", this very process"
        } else {
            ", though without the lock; remove the file if that process is another program"
        })
    }
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "PID {pid}"),
            None => f.write_str("a process whose PID is not known"),
        }
    }
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
    fn debug_reads_like_display() {
        let error = PidFileError::locked(Path::new("/run/my_app_daemon.pid"), Some(12345));
        let words = "pidfile '/run/my_app_daemon.pid' already locked by PID 12345";
        assert_eq!(error.to_string(), words);
        assert_eq!(format!("{error:?}"), words);
    }

    #[test]
    fn already_running_names_the_process_and_the_way_out() {
        let words = PidFileError::running(Path::new("/run/a.pid"), 12345).to_string();
        assert!(
            words.starts_with("pidfile '/run/a.pid': already running (pid 12345)"),
            "{words}"
        );
        assert!(words.contains("remove the file if"), "{words}");
    }

    #[test]
    fn terminal_sequences_are_written_out() {
        let error = PidFileError::replaced(Path::new("/run/\u{1b}[2J\u{9b}\n\u{202e}x.pid"));
        let words = error.to_string();
        assert!(!words.chars().any(char::is_control), "{words:?}");
        assert!(words.contains(r"\u{1b}[2J\u{9b}\n\u{202e}x.pid"), "{words}");
    }

    #[test]
    fn io_error_keeps_kind_and_words_and_says_them_once() {
        let error = PidFileError::io(
            "open",
            Path::new("/run/a.pid"),
            io::Error::from(io::ErrorKind::PermissionDenied),
        );
        assert!(
            error.source().is_none(),
            "the operating system's words would be printed twice"
        );
        let words = error.to_string();
        let converted = io::Error::from(error);
        assert_eq!(converted.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(converted.to_string(), words);
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
                PidFileError::untrusted(path, "a link"),
                io::ErrorKind::PermissionDenied,
            ),
            (PidFileError::replaced(path), io::ErrorKind::NotFound),
            (
                PidFileError::configuration("no"),
                io::ErrorKind::InvalidInput,
            ),
            (PidFileError::gave_up(path, "no"), io::ErrorKind::TimedOut),
        ] {
            let words = error.to_string();
            let converted = io::Error::from(error);
            assert_eq!(converted.kind(), kind, "{words}");
        }
    }

    #[test]
    fn contention_would_block() {
        let error = PidFileError::running(Path::new("/run/a.pid"), 7);
        assert!(error.is_contention());
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    }
}
