//! Children of a holder, which have nothing to do with its pidfile.
//!
//! METHOD: `fork`, `clone` (without the C library's knowledge), `vfork` (in its parent's memory),
//! `namespace` (as the first process of a new PID namespace).
//! END: `return` (through everything that its parent would return through), `exit`, `_exit`,
//! `term` (by SIGTERM), `exec`; `own` and `own_exit`, which first acquire a pidfile of their own,
//! `PATH.child`; `same`, which tries to acquire its parent's.
//! The parent says how it ended, goes on until its input ends, and returns.
//! Or `outlive_return`, `outlive_exit`, `outlive_signal`: the child goes on until its input ends,
//! and the parent ends before.

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

/// Set in a forked child. Its number does not tell: in a new PID namespace it can be its parent's.
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
    let path = PathBuf::from(std::env::args_os().next_back().expect("a path"));
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
            let error = PidFile::at(&path).acquire().expect_err("its parent's");
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

/// Returns when a child that is to become another program has been forked, and has not become it.
/// It does so, and ends, when what was returned is called, or when this process is gone.
pub(crate) fn between_fork_and_exec() -> impl FnOnce() + Send {
    let (mut ours, mut childs) = UnixStream::pair().expect("a pair");
    let inherited = ours.as_raw_fd();
    let mut command = Command::new("true");
    command.stdout(Stdio::null());
    // SAFETY: the child only closes, writes and reads descriptors, and nothing in it uses the one
    // that it closes.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            // Else it would wait for itself.
            os::close(inherited);
            childs.write_all(b"f")?;
            let _ = childs.read(&mut [0]);
            Ok(())
        })
    };
    let spawn = thread::spawn(move || command.status().expect("true starts"));
    ours.read_exact(&mut [0]).expect("the child is there");
    move || {
        drop(ours);
        assert!(spawn.join().expect("no panic").success());
    }
}
