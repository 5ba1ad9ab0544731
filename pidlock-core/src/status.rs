//! Inspects a pidfile without changing it.

use std::fmt;

use crate::cleanup::Table;
use crate::error::PidFileError;
use crate::protocol::contention::{self, Verdict};
use crate::settings::Target;
use crate::sys::{self, ProcessInstance};
use crate::wait;

/// The state of a pidfile at the moment of the check.
///
/// Python's `pid` has constants for the first four: `PID_CHECK_NOFILE`, `PID_CHECK_EMPTY`,
/// `PID_CHECK_NOTRUNNING` and `PID_CHECK_SAMEPID`. For the others its `check()` raises.
///
/// # Examples
///
/// ```
/// use pidlock_core::{PidFile, Status};
///
/// let status = PidFile::new("my_app_status").temp_dir(true).status()?;
/// println!("{status}"); // "running as PID 12345", or for example "not running: there is no pidfile"
/// match status {
///     Status::Locked { pid: Some(pid) } => println!("see /proc/{pid}"),
///     Status::RunningUnlocked { pid } => println!("process {pid} runs without the lock"),
///     _ => {}
/// }
/// # Ok::<(), pidlock_core::PidFileError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// There is no file.
    NoFile,
    /// The file is empty or contains only white space and NULs, and is not locked.
    Empty,
    /// The file names a process that is gone, or that cannot have written it, and is not locked.
    Stale {
        /// The recorded process.
        pid: u32,
    },
    /// This process holds the file.
    HeldBySelf,
    /// The file names a running process that does not hold the lock.
    RunningUnlocked {
        /// The recorded process.
        pid: u32,
    },
    /// Another process holds the lock.
    Locked {
        /// The recorded process, if it exists.
        pid: Option<u32>,
    },
}

impl Status {
    /// The recorded process, or this one if it holds the file.
    ///
    /// The PID is a hint. Before a signal, use [`PidFile::holder`](crate::PidFile::holder), which
    /// confirms it.
    ///
    /// ```
    /// use pidlock_core::{PidFile, Status};
    ///
    /// let file = PidFile::new("my_app_status_pid").temp_dir(true);
    /// let _guard = file.acquire()?;
    /// assert_eq!(file.status()?.pid(), Some(std::process::id()));
    /// assert_eq!(Status::NoFile.pid(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match *self {
            Self::NoFile | Self::Empty => None,
            Self::HeldBySelf => Some(std::process::id()),
            Self::Stale { pid } | Self::RunningUnlocked { pid } => Some(pid),
            Self::Locked { pid } => pid,
        }
    }

    /// Returns `true` if a process holds the file: [`Locked`](Self::Locked) or
    /// [`HeldBySelf`](Self::HeldBySelf).
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_status_is_held").temp_dir(true);
    /// assert!(!file.status()?.is_held());
    /// let _guard = file.acquire()?;
    /// assert!(file.status()?.is_held());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::HeldBySelf | Self::Locked { .. })
    }
}

/// For people. The words can change in any release.
///
/// ```
/// use pidlock_core::Status;
///
/// assert_eq!(Status::NoFile.to_string(), "not running: there is no pidfile");
/// ```
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => write!(f, "not running: there is no pidfile"),
            Self::Empty => write!(f, "not running: the pidfile is empty"),
            Self::Stale { pid } => write!(f, "not running: the pidfile is stale (PID {pid})"),
            Self::HeldBySelf => write!(f, "running: this process holds the pidfile"),
            Self::RunningUnlocked { pid } => {
                write!(f, "process {pid} is running but does not hold the lock")
            }
            Self::Locked { pid: Some(pid) } => write!(f, "running as PID {pid}"),
            Self::Locked { pid: None } => {
                write!(f, "running: an unknown process holds the pidfile")
            }
        }
    }
}

pub(crate) fn inspect(target: &Target) -> Result<Status, PidFileError> {
    let path = &target.path;
    let Some((file, stat)) = wait::open_existing(target)? else {
        return Ok(Status::NoFile);
    };
    let process = ProcessInstance::current();
    if Table::of(process).contains(stat.id) {
        return Ok(Status::HeldBySelf);
    }
    let (is_locked, record) = contention::probe(target, &file)?;
    if is_locked {
        let is_other = |&pid: &u32| pid != process.pid() && sys::exists(pid);
        return Ok(Status::Locked {
            pid: record.pid().filter(is_other),
        });
    }
    Ok(match contention::judge(target, path, &record, &stat)? {
        Verdict::Blank => Status::Empty,
        Verdict::Stale(pid) => Status::Stale { pid },
        Verdict::Running(pid) => Status::RunningUnlocked { pid },
    })
}
