//! The process that holds a pidfile: find and confirm it, signal it, wait until it has released the
//! file.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cleanup::Table;
use crate::error::{During, PidFileError, Result, quoted};
use crate::liveness;
use crate::protocol::contention::{self, HOLDER_GRACE};
#[cfg(unix)]
use crate::record;
use crate::settings::Target;
use crate::sys::{self, AbsPath, LOCK_MARK, ProcessHandle, ProcessInstance, Stat};
use crate::wait;

/// The process that holds a pidfile, returned by [`PidFile::holder`](crate::PidFile::holder).
///
/// The PID in a file is only a hint: the kernel may have given it to another process. So the process is
/// confirmed before it can be signalled: it has the lock, through a descriptor of this very file. If it
/// exits, no signal reaches a later process with its PID. [`PidFile::holder`](crate::PidFile::holder) says
/// how a process is confirmed that uses [`lock(false)`](crate::PidFile::lock).
///
/// # Platform-specific behavior
///
/// On Linux, signals go through a PID file descriptor (`pidfd_open(2)`). Before Linux 5.3 the start time
/// of the process is compared before each signal, which leaves an instant in which the PID can be reused.
/// On other Unix systems a process cannot be confirmed, except the calling one.
///
/// On Windows a process that started before the file was written is taken for the one that the file
/// names, because the system does not tell which process has a lock.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use pidlock_core::PidFile;
///
/// if let Some(holder) = PidFile::new("my_app").holder()? {
///     println!("killing {}", holder.pid());
///     holder.kill()?;
///     assert!(holder.wait_gone(Duration::from_secs(10))?);
/// }
/// # Ok::<(), pidlock_core::PidFileError>(())
/// ```
#[derive(Debug)]
pub struct Holder {
    path: AbsPath,
    process: ProcessHandle,
    /// `None` if the process does not lock the file.
    #[cfg(unix)]
    locked: Option<File>,
}

/// Finds the process that holds the file.
///
/// Retries while a process may be starting or exiting. Does not return a process that acquires the
/// file after the first attempt, because [`stop`] must not signal it.
pub(crate) fn find(target: &Target) -> Result<Option<Holder>> {
    let path = &target.path;
    let Some((file, stat)) = wait::open_existing(target)? else {
        return Ok(None);
    };
    let (mut first, mut failed_at): (_, Option<Instant>) = (None, None);
    loop {
        // Decided before the attempt, because an attempt can take longer than `HOLDER_GRACE` on an
        // overloaded machine.
        let is_last = failed_at.is_some_and(|time| time.elapsed() >= HOLDER_GRACE);
        let (is_locked, record) = contention::probe(target, &file)?;
        let recorded = record.pid();
        if first.is_some() && recorded != first {
            return Ok(None); // the process that was recorded first has released the file
        }
        first = recorded;
        match confirm(target, &stat, recorded, is_locked) {
            Err(error @ PidFileError::Unconfirmed { .. }) => {
                if matches!(sys::path_refers_to(path, stat.id), Ok(false)) {
                    return Ok(None); // the holder has removed the file
                }
                if is_last {
                    return Err(error);
                }
                failed_at.get_or_insert_with(Instant::now);
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
            Ok(process) => {
                return Ok(process.map(|process| Holder {
                    path: path.clone(),
                    process,
                    #[cfg(unix)]
                    locked: is_locked.then_some(file),
                }));
            }
        }
    }
}

/// Returns the recorded process if it holds the file. `None` if the file is free.
fn confirm(
    target: &Target,
    stat: &Stat,
    recorded: Option<u32>,
    is_locked: bool,
) -> Result<Option<ProcessHandle>> {
    let path = &target.path;
    let failed = |reason: &str| {
        Err(PidFileError::Unconfirmed {
            path: path.to_path_buf(),
            pid: recorded,
            reason: reason.to_owned(),
        })
    };
    let open = |pid| {
        let doing = format!("find process {pid}, which is recorded in");
        ProcessHandle::open(pid).during(&doing, path)
    };
    let this = ProcessInstance::current();
    if Table::of(this).contains(stat.id) {
        return open(this.pid());
    }
    let Some(pid) = recorded else {
        return match is_locked {
            true => failed(
                "it contains no PID that this process can read; fuser(1) lists the processes that have \
                 it open",
            ),
            false => Ok(None),
        };
    };
    // Opened before the checks of the PID: if `process` is not gone after them, they were about
    // this process and not about a later one with its PID.
    let process = open(pid)?;
    if !is_locked {
        let is_running = contention::is_running(target, pid, stat);
        // This process does not hold the file, so its own PID in it was written by a predecessor.
        // The mark means that the writer had the lock. The lock is free, so the writer is gone or
        // has lost it.
        let is_marked = stat.mode & LOCK_MARK != 0;
        return match process.filter(|process| !process.is_gone()) {
            Some(_) if pid == this.pid() || !is_running => Ok(None),
            Some(process)
                if !target.settings.lock && !is_marked && liveness::is_meant(pid, stat) =>
            {
                Ok(Some(process))
            }
            Some(_) => {
                failed("it does not have the lock; if it is a different program, remove the file")
            }
            None => Ok(None),
        };
    }
    let has_lock = sys::has_lock(pid, stat);
    match (process.filter(|process| !process.is_gone()), has_lock) {
        (None, _) => failed(
            "that process is gone; one that it forked has the lock, and fuser(1) lists the processes \
             that have the file open",
        ),
        (Some(process), Some(true)) => Ok(Some(process)),
        (Some(_), Some(false)) => failed(
            "it does not have the lock; a process in another PID namespace has it, or one that a dead \
             holder forked: fuser(1) lists the processes that have the file open",
        ),
        (Some(process), None) if cfg!(windows) && liveness::is_meant(pid, stat) => {
            Ok(Some(process))
        }
        (Some(process), None) => {
            signalled(path, pid, process.may_signal())?;
            failed("the system does not show which files that process has locked; try as root")
        }
    }
}

/// Explains why a process could not be signalled.
fn signalled(path: &Path, pid: u32, result: io::Result<()>) -> Result<()> {
    result.map_err(|error| {
        let (path_name, user) = (quoted(path), sys::current_user());
        let message = format!(
            "cannot signal process {pid}, which pidfile {path_name} names, as {user}; run this as the \
             user of that process, or as root"
        );
        PidFileError::system(path, message, error)
    })
}

impl Holder {
    /// The PID of the holder.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_holder_pid").temp_dir(true);
    /// let _guard = file.acquire()?;
    /// let holder = file.holder()?.expect("this process");
    /// assert_eq!(holder.pid(), std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends SIGTERM to the holder, and does not wait. Does nothing if the process is gone.
    ///
    /// # Errors
    ///
    /// [`Io`](PidFileError::Io), of kind [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if
    /// the holder belongs to another user.
    ///
    /// # Platform-specific behavior
    ///
    /// Unix only.
    ///
    /// ```no_run
    /// use pidlock_core::PidFile;
    ///
    /// if let Some(holder) = PidFile::new("my_app").holder()? {
    ///     holder.terminate()?;
    /// }
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    #[cfg(unix)]
    pub fn terminate(&self) -> Result<(), PidFileError> {
        signalled(&self.path, self.pid(), self.process.terminate())
    }

    /// Kills the holder, and does not wait. The file stays, and the next start takes it over. Does
    /// nothing if the process is gone.
    ///
    /// # Errors
    ///
    /// [`Io`](PidFileError::Io), of kind [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if
    /// the holder belongs to another user.
    ///
    /// # Platform-specific behavior
    ///
    /// By SIGKILL on Unix, by `TerminateProcess` with exit code 1 on Windows.
    ///
    /// ```no_run
    /// use pidlock_core::PidFile;
    ///
    /// if let Some(holder) = PidFile::new("my_app").holder()? {
    ///     holder.kill()?;
    /// }
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn kill(&self) -> Result<(), PidFileError> {
        signalled(&self.path, self.pid(), self.process.kill())
    }

    /// Waits until the process is gone, or a zombie that its parent has not waited for. Returns `false`
    /// if that takes longer than `timeout`.
    ///
    /// A child that the process forked can still share the lock then. [`PidFile::stop`] waits for the
    /// lock.
    ///
    /// # Errors
    ///
    /// [`Io`](PidFileError::Io) where the system cannot wait for the process, which is no system at
    /// present.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_holder_wait_gone").temp_dir(true);
    /// let _guard = file.acquire()?;
    /// let holder = file.holder()?.expect("this process");
    /// assert!(!holder.wait_gone(Duration::ZERO)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`PidFile::stop`]: crate::PidFile::stop
    pub fn wait_gone(&self, timeout: Duration) -> Result<bool, PidFileError> {
        Ok(self.process.wait_gone(timeout))
    }
}

/// Asks the holder to terminate, and waits until it has released the file. Returns `false` if there
/// is no holder.
#[cfg(unix)]
pub(crate) fn stop(target: &Target, timeout: Duration) -> Result<bool> {
    let path = &target.path;
    let deadline = Instant::now().checked_add(timeout);
    let failed = |kind, why| {
        let error = io::Error::new(kind, why);
        Err(PidFileError::io("stop the holder of", path, error))
    };
    let Some(holder) = find(target)? else {
        return Ok(false);
    };
    let pid = holder.pid();
    if pid == std::process::id() {
        return failed(io::ErrorKind::InvalidInput, "it is this process".into());
    }
    holder.terminate()?;
    match holder.wait_released(deadline) {
        Ok(true) => return Ok(true),
        Ok(false) => {}
        Err(error) => {
            let why = format!(
                "process {pid} got SIGTERM, but whether it has released the file is unknown: {error}"
            );
            return failed(error.kind(), why);
        }
    }
    let why = match holder.process.is_gone() {
        true => format!(
            "process {pid} is gone, but after {timeout:?} one that it forked still has the lock; \
             fuser(1) lists the processes that have the file open"
        ),
        false => format!(
            "process {pid} still has it {timeout:?} after SIGTERM; give it more time, or kill it"
        ),
    };
    failed(io::ErrorKind::TimedOut, why)
}

#[cfg(unix)]
impl Holder {
    /// Waits until this holder, and each process that shares its lock, has released the file. `false`
    /// if the deadline passes first.
    fn wait_released(&self, deadline: Option<Instant>) -> io::Result<bool> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(20);
        let mut pause = Duration::from_millis(1);
        let mut is_gone = false;
        while !self.is_released()? {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            let time = left.unwrap_or(pause).min(pause);
            match is_gone {
                _ if time.is_zero() => return Ok(false),
                true => thread::sleep(time),
                false => is_gone = self.process.wait_gone(time),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(true)
    }

    fn is_released(&self) -> io::Result<bool> {
        let Some(file) = &self.locked else {
            return Ok(self.process.is_gone());
        };
        if !sys::is_locked(file)? {
            return Ok(true);
        }
        // Another start may have taken the file over and locked it meanwhile.
        let recorded = record::read_settled(file)?;
        Ok(recorded.pid().is_some_and(|pid| pid != self.pid()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{RefUnwindSafe, UnwindSafe};

    #[test]
    fn holder_is_send_sync_and_unwind_safe() {
        fn assert<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
        assert::<Holder>();
    }
}
