//! What macOS and the BSDs tell about processes: by `proc_pidinfo` of libproc, and by `sysctl(3)`
//! with `KERN_PROC_PID`. Which process took a lock is not known there.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::time::{Duration, UNIX_EPOCH};

#[cfg(any(target_os = "freebsd", target_os = "openbsd"))]
use libc::kinfo_proc;
#[cfg(target_os = "netbsd")]
use libc::kinfo_proc2 as kinfo_proc;
use libc::pid_t;

use super::process::exists;
use crate::sys::types::ProcessState;

struct Info {
    is_zombie: bool,
    /// Seconds since the epoch, and microseconds.
    started: (u64, u32),
}

pub(crate) fn process_state(pid: u32) -> ProcessState {
    match info(pid) {
        _ if !exists(pid) => ProcessState::Gone,
        Some(info) if info.is_zombie => ProcessState::Gone,
        info => ProcessState::Running {
            started: info.and_then(|info| UNIX_EPOCH.checked_add(info.since_epoch())),
            exiting: false,
        },
    }
}

/// When the process with this PID started, in microseconds. `None` where that is not known.
pub(super) fn start_ticks(pid: u32) -> Option<u64> {
    info(pid)?.since_epoch().as_micros().try_into().ok()
}

impl Info {
    fn since_epoch(&self) -> Duration {
        let (seconds, microseconds) = self.started;
        Duration::from_secs(seconds) + Duration::from_micros(microseconds.into())
    }
}

/// `None` if there is no such process, or this user may not know.
#[cfg(target_vendor = "apple")]
fn info(pid: u32) -> Option<Info> {
    const WITH_ZOMBIES: u64 = 1;
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let (flavor, buffer, size) = (
        libc::PROC_PIDTBSDINFO,
        info.as_mut_ptr(),
        size_of_val(&info),
    );
    // SAFETY: the buffer has this size and outlives the call.
    let len = unsafe {
        libc::proc_pidinfo(
            pid as pid_t,
            flavor,
            WITH_ZOMBIES,
            buffer.cast(),
            size as i32,
        )
    };
    if usize::try_from(len) != Ok(size) {
        return None;
    }
    // SAFETY: the call has filled the buffer.
    let info = unsafe { info.assume_init() };
    Some(Info {
        is_zombie: info.pbi_status == libc::SZOMB,
        started: (info.pbi_start_tvsec, info.pbi_start_tvusec as u32),
    })
}

/// `None` if there is no such process, or this user may not know.
// The widths of the fields differ between platforms.
#[allow(clippy::unnecessary_cast)]
#[cfg(not(target_vendor = "apple"))]
fn info(pid: u32) -> Option<Info> {
    let mut info = MaybeUninit::<kinfo_proc>::zeroed();
    let (buffer, mut len) = (info.as_mut_ptr(), size_of_val(&info));
    #[cfg(target_os = "netbsd")]
    let table = libc::KERN_PROC2;
    #[cfg(not(target_os = "netbsd"))]
    let table = libc::KERN_PROC;
    let name = [libc::CTL_KERN, table, libc::KERN_PROC_PID, pid as pid_t];
    // NetBSD and OpenBSD also want the size of an element and the number of elements.
    #[cfg(not(target_os = "freebsd"))]
    let name = [name[0], name[1], name[2], name[3], len as i32, 1];
    let none = std::ptr::null_mut();
    // SAFETY: the name has this length, the buffer has `len` bytes, and all outlive the call.
    let failed = unsafe {
        libc::sysctl(
            name.as_ptr(),
            name.len() as u32,
            buffer.cast(),
            &mut len,
            none,
            0,
        )
    };
    if failed != 0 || len != size_of_val(&info) {
        return None;
    }
    // SAFETY: the call has filled the buffer.
    let info = unsafe { info.assume_init() };
    #[cfg(target_os = "freebsd")]
    let (is_zombie, started) = {
        let time = info.ki_start;
        (
            info.ki_stat == libc::SZOMB,
            (time.tv_sec as u64, time.tv_usec as u32),
        )
    };
    #[cfg(not(target_os = "freebsd"))]
    let (is_zombie, started) = {
        // SZOMB of NetBSD and SDEAD of OpenBSD (sys/proc.h).
        let dead = if cfg!(target_os = "netbsd") { 5 } else { 6 };
        (
            info.p_stat == dead,
            (info.p_ustart_sec as u64, info.p_ustart_usec),
        )
    };
    Some(Info { is_zombie, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_started_before_now() {
        let ProcessState::Running {
            started: Some(started),
            ..
        } = process_state(std::process::id())
        else {
            panic!("this process runs, and the system tells since when");
        };
        let age = started.elapsed().expect("a start in the past");
        assert!(age.as_secs() < 3600, "{age:?}");
    }
}
