//! Programs that do to their own descriptors and children what they should not.
//!
//! `fd_misuse WHAT PATH`, where WHAT is
//! - `again`: holds, closes the pidfile's descriptor behind the guard's back, holds once more and
//!   drops the first guard;
//! - `share`: the same with shares of one hold;
//! - `many`: loses the descriptor of two shares, holds again, gives one share back, holds another
//!   file, and gives the other share back;
//! - `other`: holds, loses the descriptor, and opens a file of its own that gets the number, and
//!   perhaps the inode too;
//! - `look`: forks children while another thread looks at the file all the time;
//! - `refused`: the same while another thread is refused all the time, for what the file says;
//! - `silent`: closes its standard descriptors, holds three files, and prints;
//! - `full`: starts without a descriptor left;
//! - `pass`: is refused, and goes on: says which signals it handles then.
//!
//! Says what it found, and stays until its input ends.

#![allow(unsafe_code)]

use std::fs;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

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
            // Whatever it shows.
            PidFile::at(path).status().expect("a look");
        }),
        "refused" => fork_beside(path, || {
            PidFile::at(path).acquire().expect_err("what is no PID");
        }),
        "silent" => silent(path),
        "full" => {
            let maximum = getrlimit(Resource::Nofile).maximum;
            let limit = Rlimit {
                current: Some(3),
                maximum,
            };
            setrlimit(Resource::Nofile, limit).expect("a limit");
            let error = PidFile::at(path)
                .acquire()
                .expect_err("no descriptor is left");
            say(&error.to_string());
        }
        "pass" => {
            PidFile::at(path).acquire().expect_err("somebody holds it");
            let status = fs::read_to_string("/proc/self/status").expect("this process");
            let handled = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let handled = handled.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            let handled = handled.expect("a mask of signals");
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

/// Closes the descriptor that the pidfile has: the first that this program opened.
fn close_behind_the_guard(path: &Path) {
    let link = fs::read_link("/proc/self/fd/3").expect("a descriptor");
    assert_eq!(link, path);
    // SAFETY: the guard that owns it must notice: that is what is tested.
    assert_eq!(unsafe { libc::close(3) }, 0);
}

fn again(path: &Path) {
    let first = PidFile::at(path).acquire().expect("a start");
    close_behind_the_guard(path);
    let second = PidFile::at(path)
        .acquire()
        .expect("the lock was lost with the descriptor");
    assert!(first.verify().is_err());
    drop(first);
    second.verify().expect("held");
    say("held");
    wait();
    second.close().expect("an end");
}

fn share(path: &Path) {
    let file = PidFile::at(path).reentrant(true);
    let first = file.acquire().expect("a start");
    close_behind_the_guard(path);
    let second = file
        .acquire()
        .expect("the lock was lost with the descriptor");
    assert!(first.verify().is_err());
    second.verify().expect("held");
    say("held");
    wait();
    drop(first);
    second.close().expect("an end");
}

fn many(path: &Path) {
    let file = PidFile::at(path).reentrant(true);
    let (first, second) = (
        file.acquire().expect("a start"),
        file.acquire().expect("a share"),
    );
    close_behind_the_guard(path);
    let again = file
        .acquire()
        .expect("the lock was lost with the descriptor");
    drop(first);
    let another = PidFile::at(path.with_extension("another"))
        .acquire()
        .expect("a start");
    drop(second);
    another.verify().expect("held");
    let its_path = another.path().to_owned();
    another.close().expect("an end");
    again.verify().expect("held");
    say(if its_path.exists() {
        "left the other file"
    } else {
        "left nothing"
    });
}

fn other(path: &Path) {
    let guard = PidFile::at(path).acquire().expect("a start");
    close_behind_the_guard(path);
    fs::remove_file(path).expect("the pidfile goes");
    // At the very path, so that nothing but the open file can tell it from the pidfile.
    let mut precious = fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .expect("a file");
    precious.write_all(b"precious data\n").expect("a text");
    drop(guard);
    precious.rewind().expect("the descriptor is whole");
    let mut text = String::new();
    precious
        .read_to_string(&mut text)
        .expect("the descriptor is whole");
    say(text.trim_end());
}

fn silent(path: &Path) {
    // SAFETY: makes a descriptor, which is closed below.
    let saved = [0, 1].map(|fd| unsafe { libc::dup(fd) });
    // From the last one down, so that each of them is the next number for one of the files.
    let guards = [2, 1, 0].map(|fd| {
        // SAFETY: whatever bears the number then must not suffer: that is what is tested.
        unsafe { libc::close(fd) };
        let file = PidFile::at(path.with_extension(fd.to_string()));
        file.acquire().expect("a start")
    });
    for fd in [1, 2] {
        // What print and eprint do. SAFETY: the text is valid for its length.
        unsafe { libc::write(fd, c"noise".as_ptr().cast(), 5) };
    }
    for (fd, saved) in [0, 1].into_iter().zip(saved) {
        // SAFETY: nothing of this program has these numbers.
        unsafe { libc::dup2(saved, fd) };
        // SAFETY: made above.
        unsafe { libc::close(saved) };
    }
    for guard in &guards {
        guard.verify().expect("held");
    }
    say("held");
    wait();
    for guard in guards {
        guard.close().expect("an end");
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
        let child = Pid::from_raw(child).expect("a number");
        kill_process(child, Signal::KILL).expect("it sleeps");
    }
}

fn fork_a_sleeper() -> i32 {
    // SAFETY: the child does nothing but sleep, which any child may.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => loop {
            // SAFETY: as above. Should the parent die, the end of its terminal does not matter.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // SAFETY: as above.
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
