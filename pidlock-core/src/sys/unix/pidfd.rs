//! A handle to a process, to signal it and to wait for its end.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, pid_t};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::kinfo::{process_state, start_ticks};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::proc::{process_state, start_ticks};
use super::process::exists;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::watch::{pidfd_open, sleep};
use crate::sys::types::ProcessState;

/// A process. A later process that gets its PID is never taken for it.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: u32,
    /// Refers to the process and to no later one (pidfd_open(2)). `None` before Linux 5.3, where a
    /// sandbox forbids the call, and on other systems.
    pidfd: Option<File>,
    /// The start time of the process. Compared before each signal if `pidfd` is `None`.
    started: Option<u64>,
}

impl ProcessHandle {
    /// `None` if there is no process with this PID.
    pub(crate) fn open(pid: u32) -> io::Result<Option<Self>> {
        if !exists(pid) {
            return Ok(None);
        }
        let pidfd = match pidfd_open(pid as pid_t) {
            Ok(pidfd) => Some(pidfd),
            Err(error) => match error.raw_os_error() {
                // The process has ended, or the ID is a thread's.
                Some(libc::ESRCH | libc::EINVAL | libc::ENOENT) => return Ok(None),
                Some(libc::ENOSYS | libc::EPERM) => None,
                _ => return Err(error),
            },
        };
        let started = start_ticks(pid);
        Ok(Some(Self {
            pid,
            pidfd,
            started,
        }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns `true` if the PID is still that of the process, which runs or is a zombie.
    fn has_pid(&self) -> bool {
        exists(self.pid) && start_ticks(self.pid) == self.started
    }

    /// Returns an error if the calling process has no permission to signal the process.
    pub(crate) fn may_signal(&self) -> io::Result<()> {
        self.signal(0)
    }

    /// Asks the process to terminate. Does nothing if it is gone.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.signal(libc::SIGTERM)
    }

    /// Does nothing if the process is gone.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal(libc::SIGKILL)
    }

    fn signal(&self, signal: c_int) -> io::Result<()> {
        let sent = match &self.pidfd {
            Some(pidfd) => pidfd_send_signal(pidfd, signal),
            // SAFETY: takes two numbers.
            None if self.has_pid() => unsafe { libc::kill(self.pid as pid_t, signal) },
            None => 0,
        };
        match io::Error::last_os_error() {
            error if sent == -1 && error.raw_os_error() != Some(libc::ESRCH) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.wait_gone(Duration::ZERO)
    }

    /// Waits until the process is gone or a zombie. `false` if that takes longer.
    pub(crate) fn wait_gone(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map_or(timeout, |it| it.saturating_duration_since(Instant::now()));
            match self.poll(left) {
                true => return true,
                false if left.is_zero() => return false,
                false => {}
            }
        }
    }

    /// Returns `true` if the process is gone. Otherwise sleeps, for `time` at most.
    fn poll(&self, time: Duration) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(pidfd) = &self.pidfd {
            if let [is_gone] = sleep(&[pidfd.as_raw_fd()], time)[..] {
                return is_gone;
            }
        }
        if process_state(self.pid) == ProcessState::Gone || !self.has_pid() {
            return true;
        }
        thread::sleep(time.min(Duration::from_millis(10)));
        false
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pidfd_open(_: pid_t) -> io::Result<File> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn pidfd_send_signal(pidfd: &File, signal: c_int) -> c_int {
    const SEND: libc::c_long = libc::SYS_pidfd_send_signal;
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open. Without signal information the call reads no memory.
    let sent = unsafe { libc::syscall(SEND, pidfd.as_raw_fd(), signal, no_info, 0) };
    sent as c_int
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pidfd_send_signal(_: &File, _: c_int) -> c_int {
    unreachable!("there are no PID file descriptors")
}
