//! Signal dispositions, and the two ways in which a process ends that a handler can see.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;

use libc::c_int;

/// The signals that ask a process to terminate.
pub(crate) const TERMINATION_SIGNALS: [c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

pub(crate) type Handler = extern "C" fn(c_int);

/// The address of the current handler, or [`DEFAULT_HANDLER`]. Async-signal-safe.
pub(crate) fn current_handler(signal: c_int) -> usize {
    sigaction(signal, None).sa_sigaction
}

pub(crate) const DEFAULT_HANDLER: usize = libc::SIG_DFL;

/// Installs a handler for one of [`TERMINATION_SIGNALS`], during which all three are blocked, and
/// returns the action that it replaces.
///
/// The handler must call async-signal-safe functions only.
pub(crate) fn set_handler(signal: c_int, handler: Handler) -> libc::sigaction {
    let mut action = default_action();
    action.sa_sigaction = handler as libc::sighandler_t;
    // On the alternate stack, for a program that ran out of stack. Restarting system calls, because
    // the program may run on until its critical section ends.
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    action.sa_mask = set_of(&TERMINATION_SIGNALS);
    sigaction(signal, Some(&action))
}

/// Returns the action of a signal, after setting it if a new one is given.
pub(crate) fn sigaction(signal: c_int, new: Option<&libc::sigaction>) -> libc::sigaction {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut old = default_action();
    // SAFETY: `new` is null or an initialised action, whose handler, if any, has the right signature
    // and lives for ever; `old` outlives the call. The call fails only for invalid signals.
    unsafe { libc::sigaction(signal, new, &mut old) };
    old
}

fn default_action() -> libc::sigaction {
    // SAFETY: sigaction is plain data, for which zeros are valid: SIG_DFL, no flags, an empty mask.
    unsafe { mem::zeroed() }
}

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = default_action().sa_mask;
    // SAFETY: the set is plain data, which the call initialises.
    unsafe { libc::sigemptyset(&mut set) };
    for &signal in signals {
        // SAFETY: the set is initialised.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

/// Blocks all signals in this thread, for a thread that must not run handlers of the program.
pub(crate) fn block_signals() {
    let mut set = default_action().sa_mask;
    // SAFETY: the set is plain data, which the call initialises.
    unsafe { libc::sigfillset(&mut set) };
    // SAFETY: the set is initialised.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
}

/// Terminates the process by this signal, so that its parent sees the usual wait status.
/// Async-signal-safe.
pub(crate) fn terminate_by(signal: c_int) -> ! {
    sigaction(signal, Some(&default_action()));
    // A signal is blocked while its handler runs.
    // SAFETY: the set is initialised.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set_of(&[signal]), ptr::null_mut()) };
    // SAFETY: takes a number.
    unsafe { libc::raise(signal) };
    // PID 1 of a PID namespace survives a signal that it does not handle (pid_namespaces(7)). Exit
    // as a shell would report it.
    // SAFETY: ends the process; no code of the program runs after it.
    unsafe { libc::_exit(128 + signal) }
}

/// Runs `f`, and leaves `errno` to the code that a signal handler interrupted as that code had it.
pub(crate) fn keeping_errno(f: impl FnOnce()) {
    let saved = io::Error::last_os_error().raw_os_error();
    f();
    // SAFETY: the address of this thread's errno is valid, and no reference to it exists.
    unsafe { errno_location().write(saved.unwrap_or(0)) };
}

fn errno_location() -> *mut c_int {
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as location;
    #[cfg(target_os = "linux")]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as location;
    // SAFETY: returns the address of this thread's errno.
    unsafe { location() }
}

/// Has `handler` called when the process exits. If there is no memory for that, it is not called.
pub(crate) fn register_exit_handler(handler: extern "C" fn()) {
    // SAFETY: the function has the right signature and lives for ever.
    unsafe { libc::atexit(handler) };
}
