//! Programs that misuse their own descriptors and children.
//!
//! `fd_misuse WHAT PATH`, where WHAT is
//! - `again`: acquires, closes the descriptor that the guard owns, acquires again and drops the
//!   first guard
//! - `share`: does what `again` does, with reentrant guards
//! - `many`: acquires two reentrant guards, closes their descriptor, acquires again, drops the
//!   first guard, acquires another file and drops the second guard
//! - `other`: acquires, closes the pidfile's descriptor, and creates a file of its own that gets
//!   the same descriptor number and perhaps the same inode
//! - `look`: forks children while other threads query the status in a loop
//! - `refused`: forks children while other threads try to acquire in a loop, and are refused
//!   because the file does not contain a PID
//! - `silent`: closes its standard descriptors, acquires three files, and prints
//! - `spare`: waits for a file that it holds, closes all descriptors, opens others, and waits again
//! - `full`: tries to acquire without a descriptor left
//! - `pass`: is refused, and prints the number of termination signals for which it then has a
//!   handler
//!
//! It prints the outcome. If it holds a file or has children, it then waits until its input ends.

#![allow(unsafe_code)]

use std::fs;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pidlock_core::PidFile;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path] = &arguments[..] else {
        panic!("usage: fd_misuse WHAT PATH");
    };
    let path = Path::new(path);
    match what.as_str() {
        "again" => again(path),
        "share" => share(path),
        "many" => many(path),
        "other" => other(path),
        "look" => fork_beside(path, || {
            // The status itself does not matter.
            PidFile::at(path).status().expect("query the status");
        }),
        "refused" => fork_beside(path, || {
            PidFile::at(path)
                .acquire()
                .expect_err("the file contains no PID");
        }),
        "silent" => silent(path),
        "spare" => spare(path),
        "full" => {
            let maximum = getrlimit(Resource::Nofile).maximum;
            let limit = Rlimit {
                current: Some(3),
                maximum,
            };
            setrlimit(Resource::Nofile, limit).expect("set the limit of descriptors");
            let error = PidFile::at(path)
                .acquire()
                .expect_err("no descriptor is left");
            say(&error.to_string());
        }
        "pass" => {
            PidFile::at(path)
                .acquire()
                .expect_err("another process holds the pidfile");
            let status =
                fs::read_to_string("/proc/self/status").expect("read the status of this process");
            let handled = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let handled = handled.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            let handled = handled.expect("parse the mask of handled signals");
            let ours = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
            let count = ours
                .into_iter()
                .filter(|signal| handled & (1 << (signal - 1)) != 0)
                .count();
            say(&format!("handles {count}"));
        }
        _ => panic!("unknown: {what}"),
    }
}

/// A wait leaves an inotify instance for the next one.
fn spare(path: &Path) {
    let file = PidFile::at(path).timeout(Duration::from_millis(5));
    let wait = || {
        let guard = file.acquire().expect("acquire");
        file.acquire().expect_err("the file is held");
        guard.close().expect("release");
    };
    wait();
    // SAFETY: closes all but the standard descriptors, as a daemon does. This is what the test is
    // about.
    assert_eq!(unsafe { libc::close_range(3, libc::c_uint::MAX, 0) }, 0);
    let open = |_| fs::File::open("/proc/self/status").expect("open a file");
    let mut others: Vec<fs::File> = (0..8).map(open).collect();
    wait();
    for other in &mut others {
        assert_eq!(other.stream_position().expect("the file is open"), 0);
    }
    say("left them alone");
}

/// Closes the pidfile's descriptor, the first one that this program opened.
fn close_behind_the_guard(path: &Path) {
    let link = fs::read_link("/proc/self/fd/3").expect("read the path of the descriptor");
    assert_eq!(link, path);
    // SAFETY: closes a descriptor that the guard owns. This is what the test is about: the guard
    // must detect it.
    assert_eq!(unsafe { libc::close(3) }, 0);
}

fn again(path: &Path) {
    let first = PidFile::at(path).acquire().expect("acquire the pidfile");
    close_behind_the_guard(path);
    let second = PidFile::at(path)
        .acquire()
        .expect("the lock is lost with the descriptor");
    assert!(first.verify().is_err());
    drop(first);
    second.verify().expect("the second guard is valid");
    say("held");
    wait();
    second.close().expect("release the pidfile");
}

fn share(path: &Path) {
    let file = PidFile::at(path).reentrant(true);
    let first = file.acquire().expect("acquire the pidfile");
    close_behind_the_guard(path);
    let second = file
        .acquire()
        .expect("the lock is lost with the descriptor");
    assert!(first.verify().is_err());
    second.verify().expect("the second guard is valid");
    say("held");
    wait();
    drop(first);
    second.close().expect("release the pidfile");
}

fn many(path: &Path) {
    let file = PidFile::at(path).reentrant(true);
    let (first, second) = (
        file.acquire().expect("acquire the pidfile"),
        file.acquire().expect("acquire a reentrant guard"),
    );
    close_behind_the_guard(path);
    let again = file
        .acquire()
        .expect("the lock is lost with the descriptor");
    drop(first);
    let another = PidFile::at(path.with_extension("another"))
        .acquire()
        .expect("acquire another file");
    drop(second);
    another
        .verify()
        .expect("the guard of the other file is valid");
    let its_path = another.path().to_owned();
    another.close().expect("release the other file");
    again.verify().expect("the last guard is valid");
    say(if its_path.exists() {
        "left the other file"
    } else {
        "left nothing"
    });
}

fn other(path: &Path) {
    let guard = PidFile::at(path).acquire().expect("acquire the pidfile");
    close_behind_the_guard(path);
    fs::remove_file(path).expect("remove the pidfile");
    // The path and perhaps the inode equal those of the pidfile. Only the open file description
    // differs.
    let mut precious = fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .expect("create the other file");
    precious
        .write_all(b"precious data\n")
        .expect("write to the other file");
    drop(guard);
    precious.rewind().expect("the descriptor is still open");
    let mut text = String::new();
    precious
        .read_to_string(&mut text)
        .expect("the descriptor is still open");
    say(text.trim_end());
}

fn silent(path: &Path) {
    // SAFETY: dup(2) takes an integer. The code below closes the new descriptors.
    let saved = [0, 1].map(|fd| unsafe { libc::dup(fd) });
    // In descending order, each closed descriptor is the lowest free one when a pidfile is opened.
    let guards = [2, 1, 0].map(|fd| {
        // SAFETY: closes a standard descriptor. This is what the test is about: the pidfile must
        // not get its number.
        unsafe { libc::close(fd) };
        let file = PidFile::at(path.with_extension(fd.to_string()));
        file.acquire().expect("acquire a pidfile")
    });
    for fd in [1, 2] {
        // `print` and `eprint` make the same call.
        // SAFETY: the pointer is valid for reads of five bytes.
        unsafe { libc::write(fd, c"noise".as_ptr().cast(), 5) };
    }
    for (fd, saved) in [0, 1].into_iter().zip(saved) {
        // SAFETY: nothing in this program owns the standard descriptors.
        unsafe { libc::dup2(saved, fd) };
        // SAFETY: `dup` above has created this descriptor, and nothing else owns it.
        unsafe { libc::close(saved) };
    }
    for guard in &guards {
        guard.verify().expect("the guard is valid");
    }
    say("held");
    wait();
    for guard in guards {
        guard.close().expect("release the pidfile");
    }
}

fn fork_beside(path: &Path, act: impl Fn() + Sync) {
    let stop = AtomicBool::new(false);
    let children: Vec<_> = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    act();
                }
            });
        }
        let children = (0..200).map(|_| fork_a_sleeper()).collect();
        stop.store(true, Ordering::Relaxed);
        children
    });
    assert!(path.exists());
    say("forked");
    wait();
    for child in children {
        let child = Pid::from_raw(child).expect("the PID of a child is not 0");
        kill_process(child, Signal::KILL).expect("kill the child");
    }
}

fn fork_a_sleeper() -> i32 {
    // SAFETY: the child only calls prctl and pause, which are async-signal-safe.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => loop {
            // The child must not outlive a parent that is killed.
            // SAFETY: this operation takes integers only and sets an attribute of the child.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // SAFETY: pause(2) has no preconditions.
            unsafe { libc::pause() };
        },
        child => child,
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn wait() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
