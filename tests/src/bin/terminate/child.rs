//! Children of a holder that do not use its pidfile.
//!
//! METHOD says how the child is created:
//! - `fork`: by fork(2)
//! - `clone`: by clone(2), without the knowledge of the C library
//! - `vfork`: by clone(2), in the memory of its parent
//! - `namespace`: by fork(2), as PID 1 of a new PID namespace
//!
//! END says how the child ends:
//! - `return`: returns through the code that its parent would return through
//! - `exit`, `_exit`, `exec`: calls this function
//! - `term`: is killed by SIGTERM
//! - `own`, `own_exit`: acquires its own pidfile, PATH with the extension `child`, and then is
//!   killed by SIGTERM or exits
//! - `same`: tries to acquire the pidfile of its parent
//! - `outlive_return`, `outlive_exit`, `outlive_signal`: runs until its input ends; the parent ends
//!   before that
//!
//! Except with the last three, the parent prints how the child ended, waits until its input ends,
//! and returns.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libc::{SIGTERM, c_int, c_void};
use pidlock_core::PidFile;

use super::{End, os, say, wait_for_end_of_input};

/// Set in a forked child. Comparing PIDs is not enough, because the parent and the child can both
/// be PID 1 of their PID namespaces.
static CHILD: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_this() -> bool {
    CHILD.load(Ordering::Relaxed)
}

pub(crate) fn child(method: &str, end: &str) -> End {
    let child = match method {
        "fork" => os::fork(),
        "clone" => os::raw_clone(),
        "namespace" => {
            os::new_pid_namespace();
            os::fork()
        }
        "vfork" => Some(os::vfork(end_of_vfork_child(end))),
        _ => panic!("unknown method {method}"),
    };
    let Some(child) = child else {
        CHILD.store(true, Ordering::Relaxed);
        return end_child(end);
    };
    match end {
        "outlive_return" => return Ok(()),
        "outlive_exit" => std::process::exit(0),
        "outlive_signal" => {
            os::raise(SIGTERM);
            return Ok(());
        }
        _ => say(&format!("child {}", os::wait(child))),
    }
    wait_for_end_of_input();
    Ok(())
}

fn end_child(end: &str) -> End {
    let path = PathBuf::from(
        std::env::args_os()
            .next_back()
            .expect("the last argument is a path"),
    );
    let own = || PidFile::at(path.with_extension("child")).acquire();
    match end {
        "return" => {}
        "outlive_return" | "outlive_exit" | "outlive_signal" => wait_for_end_of_input(),
        "exit" => std::process::exit(0),
        "_exit" => os::end_at_once(0),
        "term" => os::raise(SIGTERM),
        "exec" => os::exec_true(),
        "own" => {
            let guard = own()?;
            assert!(guard.path().exists());
            os::raise(SIGTERM);
        }
        "own_exit" => {
            let guard = own()?;
            assert!(guard.path().exists());
            std::process::exit(0)
        }
        "same" => {
            let error = PidFile::at(&path)
                .acquire()
                .expect_err("the parent holds the pidfile");
            assert_eq!(error.pid(), Some(std::os::unix::process::parent_id()));
        }
        _ => panic!("unknown end {end}"),
    }
    Ok(())
}

fn end_of_vfork_child(end: &str) -> extern "C" fn(*mut c_void) -> c_int {
    match end {
        "_exit" => end_at_once,
        "term" => end_by_signal,
        "exec" => end_by_exec,
        _ => panic!("a vfork child cannot end by {end}"),
    }
}

extern "C" fn end_at_once(_: *mut c_void) -> c_int {
    os::end_at_once(0)
}

extern "C" fn end_by_signal(_: *mut c_void) -> c_int {
    os::raise(SIGTERM);
    os::end_at_once(97)
}

extern "C" fn end_by_exec(_: *mut c_void) -> c_int {
    os::exec_true()
}

/// Starts a program, and returns while the child is between fork and exec. The child continues when
/// the returned function is called or when this process exits.
pub(crate) fn between_fork_and_exec() -> impl FnOnce() + Send {
    let (mut ours, mut childs) = UnixStream::pair().expect("create a socket pair");
    let inherited = ours.as_raw_fd();
    let mut command = Command::new("true");
    command.stdout(Stdio::null());
    // SAFETY: the closure only closes, writes and reads descriptors, which is async-signal-safe.
    // The child does not use the descriptor that the closure closes.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            // With this end open, the child would never read the end of the stream.
            os::close(inherited);
            childs.write_all(b"f")?;
            let _ = childs.read(&mut [0]);
            Ok(())
        })
    };
    let spawn = thread::spawn(move || command.status().expect("run true"));
    ours.read_exact(&mut [0])
        .expect("wait until the child is forked");
    move || {
        drop(ours);
        assert!(spawn.join().expect("the thread does not panic").success());
    }
}
