//! The signals that end a program unless it says otherwise: SIGTERM, SIGINT, SIGHUP.

#![allow(unsafe_code)]

use std::mem::{self, MaybeUninit};
use std::ptr;

use libc::{SIGHUP, SIGINT, SIGTERM, c_int};

use super::claims::{Begun, Occasions};
use super::process::Process;
use crate::plan::OnSignal;

const SIGNALS: [c_int; 3] = [SIGTERM, SIGINT, SIGHUP];

/// Installs the handler where nobody else has one, or over everything by force. It is never taken
/// away again: whoever came later may be calling it.
pub(super) fn install(mode: OnSignal) {
    let wanted = |&signal: &c_int| mode == OnSignal::Force || is_default(signal);
    SIGNALS.into_iter().filter(wanted).for_each(install_one);
}

fn install_one(signal: c_int) {
    // SAFETY: all zeros is a valid sigaction: SIG_DFL, no flags, an empty mask (on the platforms
    // where sigset_t is plain bits, which those of `libc` are; the mask is set below all the same).
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler_address();
    // On the alternate stack if there is one, for a program that has run out of stack; and without
    // breaking system calls off, for the program may go on for a moment.
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    action.sa_mask = set_of(&SIGNALS);
    // SAFETY: `action` is complete, and its handler is a function of this program that only calls
    // what a handler may.
    unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
}

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes a whole set of what it is given, whatever that was.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for &signal in signals {
        // SAFETY: the set was made by sigemptyset, and the number is a signal's.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: made by sigemptyset above.
    unsafe { set.assume_init() }
}

fn handler_address() -> libc::sighandler_t {
    let handler: extern "C" fn(c_int) = on_signal;
    handler as libc::sighandler_t
}

fn is_default(signal: c_int) -> bool {
    current_handler(signal) == Some(libc::SIG_DFL)
}

/// Async-signal-safe, as sigaction(2) is.
fn current_handler(signal: c_int) -> Option<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action only asks; the answer is written to `action`, which is large enough.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    if answer != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    Some(unsafe { action.assume_init() }.sa_sigaction)
}

/// Removes the pidfiles and dies of the signal, as the program would have without us.
///
/// Calls only what POSIX lists as async-signal-safe. It may run in a `vfork` child, which shares
/// its parent's memory: nothing is stored before it is clear that this is no such child.
extern "C" fn on_signal(signal: c_int) {
    // Somebody installed a handler after us and calls ours from it: the program ends in its own
    // way, or does not end at all.
    if current_handler(signal) != Some(handler_address()) {
        return;
    }
    // A forked child inherits the handler, but nothing to remove.
    let Some(process) = Process::peek() else {
        die(signal)
    };
    let saved = errno();
    match process.claims.begin_by(signal) {
        // Removes nothing unless it is this one that dies: until then the files tell the truth.
        Begun::First => process.end_claim(),
        Begun::Again => {
            process.slots.sweep(Occasions::SIGNAL);
            die(signal);
        }
        Begun::TooLate => {}
    }
    // Some thread is in the middle of making or removing a file, perhaps this very one under us.
    // It dies of the signal when it is done.
    set_errno(saved);
}

/// Ends the process by this signal, so that its parent sees what it would have seen without us.
/// Async-signal-safe.
pub(super) fn die(signal: c_int) -> ! {
    // SAFETY: as in `install_one`; SIG_DFL is what zeros mean.
    let mut default: libc::sigaction = unsafe { mem::zeroed() };
    default.sa_sigaction = libc::SIG_DFL;
    // SAFETY: `default` is complete.
    unsafe { libc::sigaction(signal, &default, ptr::null_mut()) };
    // In a handler its own signal is blocked.
    let set = set_of(&[signal]);
    // SAFETY: the set is a whole one; the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()) };
    // SAFETY: sends a signal to ourselves, whose default action ends us.
    unsafe { libc::raise(signal) };
    // Still here: the first process of a PID namespace is not ended by signals that it does not
    // handle (pid_namespaces(7)). The status that a shell gives for one that was.
    // SAFETY: ends the process at once, running nothing of the program's.
    unsafe { libc::_exit(128 + signal) }
}

fn errno_location() -> *mut c_int {
    // SAFETY: each of these only returns the address of the calling thread's errno.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_os = "solaris", target_os = "illumos"))]
        return libc::___errno();
        #[cfg(not(any(
            target_os = "linux",
            target_os = "dragonfly",
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "android",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "solaris",
            target_os = "illumos"
        )))]
        compile_error!("pidlock does not know where errno is on this platform");
    }
}

fn errno() -> c_int {
    // SAFETY: the address is valid for as long as the thread lives.
    unsafe { *errno_location() }
}

fn set_errno(errno: c_int) {
    // SAFETY: as in `errno`, and no reference to it exists.
    unsafe { *errno_location() = errno };
}
