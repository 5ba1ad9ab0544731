//! Which processes exist, and since when; and this process.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::*;

use super::file::{is_any_of, system_time};
use crate::sys::types::ProcessState;

/// Returns `true` if a running process has this PID.
pub(crate) fn exists(pid: u32) -> bool {
    process_state(pid) != ProcessState::Gone
}

/// Opens a running process. `None` if there is none with this PID.
fn open(pid: u32, rights: u32) -> io::Result<Option<OwnedHandle>> {
    // SAFETY: takes numbers, and returns a handle or null.
    let process = unsafe { OpenProcess(rights, 0, pid) };
    if process.is_null() {
        let error = io::Error::last_os_error();
        return match is_any_of(&error, &[ERROR_INVALID_PARAMETER]) {
            true => Ok(None),
            false => Err(error),
        };
    }
    // SAFETY: the call has just returned this handle, so nothing else owns it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: `process` is an open handle with the right to query.
    let found = unsafe { GetProcessId(process.as_raw_handle()) };
    // PIDs are divisible by 4, and OpenProcess accepts the three numbers that follow one for it. A
    // process keeps its PID after its end while a handle to it is open.
    Ok((found == pid && !has_ended(&process, 0)).then_some(process))
}

/// Waits until the process has ended. `false` if that takes longer.
fn has_ended(process: &OwnedHandle, milliseconds: u32) -> bool {
    // SAFETY: `process` is an open handle with the right to wait for it.
    let ended = unsafe { WaitForSingleObject(process.as_raw_handle(), milliseconds) };
    ended == WAIT_OBJECT_0
}

/// To ask for its PID and start time, and to wait for it.
const RIGHTS: u32 = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;

pub(crate) fn process_state(pid: u32) -> ProcessState {
    let process = match open(pid, RIGHTS) {
        Ok(Some(process)) => process,
        Ok(None) => return ProcessState::Gone,
        // A denied access, for example, is about a process that exists.
        Err(_) => {
            return ProcessState::Running {
                started: None,
                exiting: false,
            };
        }
    };
    let mut created = FILETIME::default();
    let [mut exited, mut kernel, mut user] = [FILETIME::default(); 3];
    let handle = process.as_raw_handle();
    // SAFETY: `process` is an open handle with the right to query, and the times outlive the call.
    let answer =
        unsafe { GetProcessTimes(handle, &mut created, &mut exited, &mut kernel, &mut user) };
    ProcessState::Running {
        started: system_time(created).filter(|_| answer != 0),
        exiting: false,
    }
}

/// A process. Its PID is not reused while the handle is open.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: u32,
    process: OwnedHandle,
}

impl ProcessHandle {
    /// `None` if there is no process with this PID.
    pub(crate) fn open(pid: u32) -> io::Result<Option<Self>> {
        let process = open(pid, RIGHTS)?;
        Ok(process.map(|process| Self { pid, process }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether this process may end that one turns out when it does.
    pub(crate) fn may_signal(&self) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing if the process is gone.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let Some(process) = open(self.pid, RIGHTS | PROCESS_TERMINATE)? else {
            return Ok(());
        };
        // SAFETY: `process` is an open handle with the right to terminate.
        let killed = unsafe { TerminateProcess(process.as_raw_handle(), 1) };
        match io::Error::last_os_error() {
            error if killed == 0 && !has_ended(&process, 0) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.wait_gone(Duration::ZERO)
    }

    /// Waits until the process is gone. `false` if that takes longer.
    pub(crate) fn wait_gone(&self, timeout: Duration) -> bool {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        // The largest number means no limit.
        let milliseconds = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        has_ended(&self.process, milliseconds)
    }
}

/// All files have the same owner.
pub(crate) fn effective_uid() -> u32 {
    0
}

/// Owners have no numbers.
pub(crate) fn user(_uid: u32) -> String {
    "an unknown user".into()
}

pub(crate) fn current_user() -> String {
    "this user".into()
}

/// There are no set-user-ID programs.
pub(crate) fn is_secure_execution() -> bool {
    false
}

/// No signal is ever noted.
pub(crate) fn terminate_by(_: i32) -> ! {
    std::process::abort()
}

/// There are no signals.
pub(crate) fn block_signals() {}

/// There are no forks.
pub(crate) fn fork_count() -> u32 {
    0
}

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessInstance(u32);

impl ProcessInstance {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn pid(self) -> u32 {
        self.0
    }

    pub(crate) fn is_current(self) -> bool {
        true
    }
}

/// One value in each process.
pub(crate) struct PerProcess<T: 'static>(OnceLock<T>);

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn get(&'static self, _: ProcessInstance, new: fn() -> T) -> &'static T {
        self.0.get_or_init(new)
    }

    /// The value, if there is one.
    pub(crate) fn peek(&'static self) -> Option<&'static T> {
        self.0.get()
    }
}
