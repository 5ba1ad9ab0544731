//! Which processes exist, and which user this process runs as.

#![allow(unsafe_code)]

use std::io;

/// Returns `true` if a process, a zombie or a thread has this ID.
///
/// By `getpgid(2)`, which unlike `kill(2)` needs no permission to signal.
pub(crate) fn exists(pid: u32) -> bool {
    // For getpgid, 0 means the calling process.
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 0) else {
        return false;
    };
    // SAFETY: takes a number and returns one.
    let group = unsafe { libc::getpgid(pid) };
    // The result is 0 for a group in another PID namespace. EPERM means that the process exists.
    group >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// The user whose permissions the kernel checks.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid takes nothing, changes nothing and cannot fail (POSIX.1-2017).
    unsafe { libc::geteuid() }
}

/// A user, as messages name it.
pub(crate) fn user(uid: u32) -> String {
    format!("uid {uid}")
}

/// The effective user, as messages name it.
pub(crate) fn current_user() -> String {
    user(effective_uid())
}

/// Returns `true` if the program runs with more privileges than the user who started it
/// (set-user-ID and the like). Then that user controls the environment.
pub(crate) fn is_secure_execution() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: getauxval looks a value up in this process's memory; 0 means "no" or "unknown"
        // (getauxval(3)).
        let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        secure != 0
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        // SAFETY: issetugid takes nothing, changes nothing and cannot fail (issetugid(2)).
        let secure = unsafe { libc::issetugid() };
        secure != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_exists_and_the_largest_pid_does_not() {
        assert!(exists(std::process::id()));
        // Linux PIDs are at most 4,194,304 (proc_sys_kernel(5)).
        assert!(!exists(i32::MAX as u32));
        assert!(!exists(0));
        assert!(!exists(u32::MAX));
    }
}
