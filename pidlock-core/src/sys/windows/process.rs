//! Which processes exist, and since when; and this process.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::*;

use super::file::{is_any_of, system_time};
use crate::sys::types::{ProcessState, Stat};

/// Returns `true` if a running process has this PID.
pub(crate) fn exists(pid: u32) -> bool {
    process_state(pid) != ProcessState::Gone
}

pub(crate) fn process_state(pid: u32) -> ProcessState {
    let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
    // SAFETY: takes numbers, and returns a handle or null.
    let process = unsafe { OpenProcess(rights, 0, pid) };
    if process.is_null() {
        // Every other error, such as a denied access, is about a process that exists.
        return match is_any_of(&io::Error::last_os_error(), &[ERROR_INVALID_PARAMETER]) {
            true => ProcessState::Gone,
            false => ProcessState::Running {
                started: None,
                exiting: false,
            },
        };
    }
    // SAFETY: the call has just returned this handle, so nothing else owns it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: `process` is an open handle with the right to query.
    let found = unsafe { GetProcessId(process.as_raw_handle()) };
    // PIDs are divisible by 4, and OpenProcess accepts the three numbers that follow one for it. A
    // process keeps its PID after its end while a handle to it is open.
    // SAFETY: `process` is an open handle with the right to wait for it.
    let ended = unsafe { WaitForSingleObject(process.as_raw_handle(), 0) };
    if found != pid || ended == WAIT_OBJECT_0 {
        return ProcessState::Gone;
    }
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

pub(crate) fn is_holder(_: u32, _: &Stat) -> Option<bool> {
    None
}

/// All files have the same owner.
pub(crate) fn effective_uid() -> u32 {
    0
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
}
