//! Wrappers for process functions that std does not offer as safe functions.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

pub(crate) use libc::{SIGHUP, SIGINT, SIGTERM, c_int};

/// Ends this process after a minute, so that a test fails if the process hangs. A forked child must
/// call this function again.
pub(crate) fn end_before_long() {
    // The default action of a signal does not terminate PID 1 of a PID namespace.
    extern "C" fn end(_: c_int) {
        end_at_once(96);
    }
    let end: extern "C" fn(c_int) = end;
    handle(libc::SIGALRM, end as libc::sighandler_t);
    // SAFETY: alarm(2) takes an integer, and nothing else in this program uses the alarm clock.
    #[allow(unsafe_code)]
    unsafe {
        libc::alarm(60)
    };
}

/// Sets the disposition of a signal, and returns the previous one. `handler` must be `SIG_DFL`,
/// `SIG_IGN` or an async-signal-safe function.
pub(crate) fn handle(signal: c_int, handler: libc::sighandler_t) -> libc::sigaction {
    let mut old = std::mem::MaybeUninit::zeroed();
    // SAFETY: all zeros is a valid sigaction, without flags and with an empty mask.
    #[allow(unsafe_code)]
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler;
    // SAFETY: `new` is valid, `old` is valid for writes, and callers pass async-signal-safe
    // handlers.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::sigaction(signal, &new, old.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    // SAFETY: zeros are a valid sigaction, and the call has overwritten them with another one.
    #[allow(unsafe_code)]
    unsafe {
        old.assume_init()
    }
}

/// Sends a signal to this process.
pub(crate) fn raise(signal: c_int) {
    let signal = Signal::from_named_raw(signal);
    let _ = signal.map(|signal| kill_process(getpid(), signal));
}

/// Exits without running destructors or exit handlers.
pub(crate) fn end_at_once(code: c_int) -> ! {
    // SAFETY: `_exit` has no preconditions.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(code)
    }
}

/// Forks. Returns `None` in the child.
pub(crate) fn fork() -> Option<Pid> {
    // SAFETY: this program has one thread when it forks, so the child can call any function.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::fork() };
    parent_or_child(answer.into())
}

/// Forks with clone(2), so that the handlers of pthread_atfork(3) do not run. Returns `None` in the
/// child.
pub(crate) fn raw_clone() -> Option<Pid> {
    // SAFETY: without CLONE_VM the child has its own memory. This program has one thread when it
    // forks, so the child can call any function.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    parent_or_child(answer)
}

fn parent_or_child(answer: libc::c_long) -> Option<Pid> {
    assert!(answer >= 0, "{}", io::Error::last_os_error());
    if answer == 0 {
        end_before_long();
    }
    i32::try_from(answer).ok().and_then(Pid::from_raw)
}

/// Calls `child` in a process that shares the memory of this one, as after vfork(2). Returns when
/// the child has exited or called exec. The child has its own stack, because Rust does not support
/// functions that return twice.
pub(crate) fn vfork(child: extern "C" fn(*mut libc::c_void) -> c_int) -> Pid {
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is aligned. It outlives the child's use of it, because with CLONE_VFORK the
    // call returns only after that. The children in this program make only system calls.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::clone(child, top, flags, std::ptr::null_mut()) };
    parent_or_child(answer.into()).expect("only the parent returns from clone")
}

/// Executes `/bin/true`. Makes only system calls, so a child that shares its parent's memory can
/// call this function.
pub(crate) fn exec_true() -> ! {
    const PROGRAM: &CStr = c"/bin/true";
    let arguments = [PROGRAM.as_ptr(), std::ptr::null()];
    // SAFETY: the path and the argument are C strings, the list ends with a null pointer, and all
    // of them outlive the call.
    #[allow(unsafe_code)]
    unsafe {
        libc::execv(PROGRAM.as_ptr(), arguments.as_ptr())
    };
    end_at_once(98)
}

/// Makes the next child PID 1 of a new PID namespace.
pub(crate) fn new_pid_namespace() {
    // SAFETY: `CLONE_NEWPID` affects only future children.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(answer, 0, "unshare: {}", io::Error::last_os_error());
}

/// Closes a descriptor that a child has inherited. The child must not use it.
pub(crate) fn close(descriptor: RawFd) {
    // SAFETY: callers pass a descriptor that nothing in their process uses.
    #[allow(unsafe_code)]
    unsafe {
        libc::close(descriptor)
    };
}

/// Makes the descriptors of all pidfiles refer to another file, as a careless daemonizer does.
pub(crate) fn lose_pidfiles(other: &Path) -> io::Result<()> {
    let other = File::options().read(true).write(true).open(other)?;
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // With `lock(false)`, a pidfile is created under another name, such as
        // `.0.pid.12345-0.pidlock`.
        let is_pidfile =
            fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains(".pid"));
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|_| is_pidfile) {
            // SAFETY: replaces a descriptor that a guard owns. This is what the test is about: the
            // guard must detect it.
            #[allow(unsafe_code)]
            unsafe {
                libc::dup2(other.as_raw_fd(), number)
            };
        }
    }
    Ok(())
}

/// Drops root privileges permanently.
pub(crate) fn become_user(uid: libc::uid_t) {
    // SAFETY: setuid(2) takes an integer and changes no memory.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::setuid(uid) };
    assert_eq!(answer, 0, "setuid: {}", io::Error::last_os_error());
}

/// Waits for a child. Returns `exited N` or `died of N`.
pub(crate) fn wait(child: Pid) -> String {
    let (_, status) = waitpid(Some(child), WaitOptions::empty())
        .expect("wait for the child")
        .expect("the child has ended");
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited {code}"),
        (_, Some(signal)) => format!("died of {signal}"),
        _ => format!("{status:?}"),
    }
}
