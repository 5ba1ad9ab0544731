//! The predecessor's part of a hand-over: starts a successor that inherits the lock.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::cleanup::CriticalSection;
use crate::error::{PidFileError, Result, quoted};
use crate::guard::PidGuard;
use crate::held::HeldFile;
use crate::protocol::adopt::{VARIABLE, take_ownership};
use crate::sys::{self, PassedOn};

/// Error returned by [`PidGuard::hand_over`] and [`PidGuard::exec_successor`]. The file was not handed
/// over: this process still holds it.
///
/// `{}` prints the message of [`error`](Self::error).
///
/// # Examples
///
/// ```no_run
/// use pidlock_core::{HandOverError, PidGuard};
///
/// /// Ends a successor that has not taken over, and returns the guard.
/// fn keep(failed: HandOverError) -> PidGuard {
///     eprintln!("{failed}");
///     if let Some(mut child) = failed.child {
///         let _ = child.kill().and_then(|()| child.wait());
///     }
///     failed.guard
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct HandOverError {
    /// The guard. Dropping it releases the file.
    pub guard: PidGuard,
    /// The successor, if it was started. It may be running, and shares the lock until it ends or
    /// tries to acquire the file, which fails. Kill it or wait for it.
    pub child: Option<Child>,
    /// Why the file was not handed over.
    pub error: PidFileError,
}

impl fmt::Display for HandOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for HandOverError {}

impl PidGuard {
    /// Starts a successor that takes the pidfile over, and waits until it has.
    ///
    /// The successor inherits the lock, so other starts are refused throughout. It must acquire the same
    /// path, by [`acquire`](crate::PidFile::acquire) or `#[pidfile]`, before it starts a program of its
    /// own. From then on it is the holder and the file names it. The file keeps its mode and owner. This
    /// process goes on, without the file: it can finish what it is doing.
    ///
    /// If the successor does not acquire the file in time, or ends before, the error returns the guard, and
    /// this process is the holder as before. A [`Duration::MAX`] waits without limit. If this process ends
    /// meanwhile, however that happens, the successor still takes the file over.
    ///
    /// `command` gets an environment variable, `PIDLOCK_HAND_OVER`, for this start only.
    ///
    /// # Errors
    ///
    /// The [`error`](HandOverError::error) in the error is
    ///
    /// - [`Configuration`](PidFileError::Configuration): the file was acquired with
    ///   [`lock(false)`](crate::PidFile::lock), or there is another
    ///   [`reentrant`](crate::PidFile::reentrant) guard.
    /// - [`Io`](PidFileError::Io): the successor could not be started. Or it ended, or closed its
    ///   descriptors, without acquiring the file: kind
    ///   [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof). Or it took too long: kind
    ///   [`TimedOut`](std::io::ErrorKind::TimedOut).
    /// - Those of [`verify`](Self::verify), before the successor is started.
    ///
    /// # Platform-specific behavior
    ///
    /// Unix only. Three file descriptors with numbers from 100 are passed on. A set-user-ID program does
    /// not take the file over, and neither does [`reserve`](crate::PidFile::reserve). A signal that ends
    /// this process while it starts the successor may leave a stale file.
    ///
    /// ```no_run
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// use pidlock_core::{PidFile, PidGuard};
    ///
    /// fn finish_requests() {}
    /// fn serve(_guard: PidGuard) {}
    ///
    /// let guard = PidFile::new("my_app").dir("/run/my_app").acquire()?;
    /// // Later, when a new version is installed:
    /// let mut successor = Command::new("/usr/bin/my_app");
    /// match guard.hand_over(&mut successor, Duration::from_secs(30)) {
    ///     Ok(_child) => finish_requests(),
    ///     Err(mut failed) => {
    ///         eprintln!("{failed}");
    ///         if let Some(child) = &mut failed.child {
    ///             child.kill()?;
    ///             child.wait()?;
    ///         }
    ///         serve(failed.guard);
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hand_over(
        self,
        command: &mut Command,
        timeout: Duration,
    ) -> Result<Child, HandOverError> {
        let (child, error) = match offer(&self, command, Command::spawn) {
            Ok((child, streams)) => match streams.wait(&self.handle, timeout) {
                // Dropping the guard closes the descriptor, and changes nothing in the file.
                Ok(()) => return Ok(child),
                Err(error) => (Some(child), hand_over_error(&self, command, error)),
            },
            Err(error) => (None, error),
        };
        let guard = self;
        Err(HandOverError {
            guard,
            child,
            error,
        })
    }

    /// Replaces this program by a successor in the same process, which takes the pidfile over: the process
    /// restarts itself, and other starts are refused throughout.
    ///
    /// Returns only if that fails. Otherwise what [`hand_over`](Self::hand_over) says of the successor
    /// holds. If the successor ends without acquiring the file, the file is stale, and the next start takes
    /// it over.
    ///
    /// # Errors
    ///
    /// Those of [`hand_over`](Self::hand_over) that occur before the successor runs. This process still holds
    /// the file then. What [`exec`](std::os::unix::process::CommandExt::exec) changes before it fails, such
    /// as the working directory of `command`, stays changed.
    ///
    /// # Platform-specific behavior
    ///
    /// As for [`hand_over`](Self::hand_over). A program that another thread starts at that moment can inherit
    /// the lock, too.
    ///
    /// ```no_run
    /// use std::process::Command;
    ///
    /// use pidlock_core::{PidFile, PidGuard};
    ///
    /// fn serve(_guard: PidGuard) {}
    ///
    /// let guard = PidFile::new("my_app").dir("/run/my_app").acquire()?;
    /// // Later, when a new version is installed:
    /// let failed = guard.exec_successor(&mut Command::new("/usr/bin/my_app"));
    /// eprintln!("{failed}");
    /// serve(failed.guard);
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn exec_successor(self, command: &mut Command) -> HandOverError {
        let exec = |command: &mut Command| Err::<Infallible, _>(command.exec());
        match offer(&self, command, exec) {
            Ok((never, _)) => match never {},
            Err(error) => HandOverError {
                guard: self,
                child: None,
                error,
            },
        }
    }
}

/// Offers the file to the program that `start` starts. If that fails, the offer is withdrawn.
fn offer<T>(
    guard: &PidGuard,
    command: &mut Command,
    start: impl FnOnce(&mut Command) -> io::Result<T>,
) -> Result<(T, Streams)> {
    let held = &guard.handle;
    held.verify()?;
    if !held.settings.lock {
        let message = "a hand-over requires lock = true: the successor inherits the lock";
        return Err(PidFileError::configuration(message));
    }
    if !held.offer() {
        let message = "a hand-over requires the only guard of the file; drop the others first";
        return Err(PidFileError::configuration(message));
    }
    let started = Streams::pass_on(held, command).and_then(|(streams, _passed_on)| {
        let started = start(command)?;
        Ok((started, streams))
    });
    // The caller may start another program with `command`, which must not get the variable.
    command.env_remove(VARIABLE);
    started.map_err(|error| {
        // No successor runs, so this process is the owner still, and its record is in the file.
        held.set_offered(false);
        hand_over_error(guard, command, error)
    })
}

fn hand_over_error(guard: &PidGuard, command: &Command, error: io::Error) -> PidFileError {
    let program = quoted(Path::new(command.get_program()));
    let path = guard.path();
    let message = format!("cannot hand over pidfile {} to {program}", quoted(path));
    PidFileError::system(path, message, error)
}

/// The streams that the predecessor keeps while a successor can adopt the file: `byte`, which both
/// share, and its end of `link`. See `adopt`.
struct Streams {
    byte: UnixStream,
    link: UnixStream,
}

impl Streams {
    fn pass_on(held: &HeldFile, command: &mut Command) -> io::Result<(Self, PassedOn)> {
        let lost = || io::Error::other("its descriptor was closed elsewhere in the program");
        let file = held.locked_file().ok_or_else(lost)?;
        let (byte, mut writer) = UnixStream::pair()?;
        writer.write_all(&[0])?;
        let (link, successors) = UnixStream::pair()?;
        let descriptors = [file.as_fd(), byte.as_fd(), successors.as_fd()];
        let passed_on = sys::pass_on(command, VARIABLE, &descriptors)?;
        Ok((Self { byte, link }, passed_on))
    }

    /// Waits until the successor has adopted the file. On error, this process is the owner of the
    /// file again.
    fn wait(&self, held: &HeldFile, timeout: Duration) -> io::Result<()> {
        let mut deadline = Instant::now().checked_add(timeout);
        loop {
            let waited = self.wait_for_end(deadline);
            let is_owner = take_ownership(&self.byte);
            // `locked_file` returns `None` once the successor has set its tag, or once the exit
            // handler of this process has left the lock to the successor.
            if !is_owner && held.locked_file().is_none() {
                return Ok(());
            }
            if is_owner || waited.is_ok() {
                let _section = CriticalSection::enter(held.owner);
                // If this process could not read the byte, the successor died as the owner, and may
                // have written its PID. So write this process's PID again.
                let written = if is_owner {
                    Ok(())
                } else {
                    held.write_record()
                };
                held.set_offered(false);
                written?;
                let why = "it ended, or closed its descriptors, before it acquired the file";
                return Err(waited
                    .err()
                    .unwrap_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, why)));
            }
            // The successor has read the byte, so it is the owner and about to set its tag. Wait
            // for that without a deadline.
            deadline = None;
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the successor has ended the link, or is gone.
    fn wait_for_end(&self, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                let why = "it did not acquire the file in time";
                return Err(io::Error::new(ErrorKind::TimedOut, why));
            }
            self.link.set_read_timeout(left)?;
            match (&self.link).read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => {} // no process writes into the link
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_send_sync_and_static() {
        fn check<T: Send + Sync + 'static + std::error::Error>() {}
        check::<HandOverError>();
    }
}
