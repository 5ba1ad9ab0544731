//! What this program does with processes that std has no safe door to, each in one place.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

pub(crate) use libc::{SIGHUP, SIGINT, SIGTERM, c_int};

/// Whoever hangs is ended by this, which its parent sees. Forked children need one of their own.
pub(crate) fn end_before_long() {
    // The first process of a PID namespace does not die of a signal that it does not handle.
    extern "C" fn end(_: c_int) {
        end_at_once(96);
    }
    let end: extern "C" fn(c_int) = end;
    handle(libc::SIGALRM, end as libc::sighandler_t);
    // SAFETY: sets this process's alarm clock (alarm(2)); nothing else here uses it.
    #[allow(unsafe_code)]
    unsafe {
        libc::alarm(60)
    };
}

/// `SIG_DFL`, `SIG_IGN`, or a handler that calls only what a handler may. Returns what was there.
pub(crate) fn handle(signal: c_int, handler: libc::sighandler_t) -> libc::sigaction {
    let mut old = std::mem::MaybeUninit::zeroed();
    // SAFETY: all zeros is a valid sigaction, without flags and with an empty mask.
    #[allow(unsafe_code)]
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler;
    // SAFETY: both are valid sigactions, and the handlers in this program are async-signal-safe.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::sigaction(signal, &new, old.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    // SAFETY: zeros are a valid sigaction, and the call has put another one there.
    #[allow(unsafe_code)]
    unsafe {
        old.assume_init()
    }
}

/// Sends it to this process.
pub(crate) fn raise(signal: c_int) {
    let signal = Signal::from_named_raw(signal);
    let _ = signal.map(|signal| kill_process(getpid(), signal));
}

/// Ends the process without running anything of it.
pub(crate) fn end_at_once(code: c_int) -> ! {
    // SAFETY: ends the process.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(code)
    }
}

/// `None` in the child.
pub(crate) fn fork() -> Option<Pid> {
    // SAFETY: nothing here forks but programs with one thread, so that a child may do whatever
    // its parent may.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::fork() };
    parent_or_child(answer.into())
}

/// As `fork`, without the C library knowing: no handler of pthread_atfork(3) runs.
pub(crate) fn raw_clone() -> Option<Pid> {
    // SAFETY: without CLONE_VM the child has memory of its own, as after fork. See there.
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

/// What `vfork` does, with a stack of its own, for a function that returns twice is nothing that
/// Rust knows of: the child has this process's memory, which waits until the child is gone or has
/// called exec.
pub(crate) fn vfork(child: extern "C" fn(*mut libc::c_void) -> c_int) -> Pid {
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is aligned and lives until after the call, which ends when the child does
    // not use it any more; the children in this program only make system calls.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::clone(child, top, flags, std::ptr::null_mut()) };
    parent_or_child(answer.into()).expect("the child does not come here")
}

/// Replaces the program by one that ends successfully. For children that share their parent's
/// memory, too: it makes nothing but the call.
pub(crate) fn exec_true() -> ! {
    const PROGRAM: &CStr = c"/bin/true";
    let arguments = [PROGRAM.as_ptr(), std::ptr::null()];
    // SAFETY: strings and a list that end as execv(3) wants them to, and that outlive it.
    #[allow(unsafe_code)]
    unsafe {
        libc::execv(PROGRAM.as_ptr(), arguments.as_ptr())
    };
    end_at_once(98)
}

/// The next child will be the first process of a new PID namespace.
pub(crate) fn new_pid_namespace() {
    // SAFETY: changes what the next children are, and nothing of this process.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(answer, 0, "unshare: {}", io::Error::last_os_error());
}

/// For a child that has a copy of something which it must not have, and which nothing in it uses.
pub(crate) fn close(descriptor: RawFd) {
    // SAFETY: nothing in the caller's process uses it, as the caller promises.
    #[allow(unsafe_code)]
    unsafe {
        libc::close(descriptor)
    };
}

/// As a careless daemonizer does: closes the descriptors of all pidfiles, whose numbers then are
/// another file's.
pub(crate) fn lose_pidfiles(other: &Path) -> io::Result<()> {
    let other = File::options().read(true).write(true).open(other)?;
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // Without a lock it was made under another name: `.0.pid.12345-0.pidlock`.
        let is_pidfile =
            fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains(".pid"));
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|_| is_pidfile) {
            // SAFETY: takes the number away from the guard, who must notice: that is tested.
            #[allow(unsafe_code)]
            unsafe {
                libc::dup2(other.as_raw_fd(), number)
            };
        }
    }
    Ok(())
}

/// Gives root's rights up for good.
pub(crate) fn become_user(uid: libc::uid_t) {
    // SAFETY: changes this process's user, which no memory depends on.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::setuid(uid) };
    assert_eq!(answer, 0, "setuid: {}", io::Error::last_os_error());
}

/// `exited N`, or `died of N`.
pub(crate) fn wait(child: Pid) -> String {
    let (_, status) = waitpid(Some(child), WaitOptions::empty())
        .expect("a child can be waited for")
        .expect("it was waited for");
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited {code}"),
        (_, Some(signal)) => format!("died of {signal}"),
        _ => format!("{status:?}"),
    }
}
