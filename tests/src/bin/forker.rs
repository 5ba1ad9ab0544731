//! Acquires a pidfile, and forks, loses its descriptor or changes signal handlers meanwhile.
//!
//! `forker WHAT PATH [LOG]`, where WHAT is
//! - `releases`: starts programs in another thread without pause, and 200 times acquires, forks
//!   children that exit or call exec, releases, and checks that the file is gone;
//! - `busy`: starts programs in another thread and logs to LOG, see `pidlock_tests::spawner`,
//!   acquires, and has children that have exited or called exec;
//! - `leave`, `leave-kept`: forks a child that lives on, releases, and says `released CHILD`;
//! - `commit-late`: reserves, and a moment later forks a child that commits and says `held PID`, and
//!   lives on beside it until the end of the input;
//! - `child-drops`: forks a child that drops its copy of the guard and exits, verifies, says `held`,
//!   and releases after the end of its input;
//! - `reopen`: closes all descriptors from 3 on and opens the pidfile for reading, which gets the
//!   number of the old descriptor;
//! - `default-between`: acquires and releases, sets the signals back to their default, acquires;
//! - `own-first`: the same with handlers of its own the first time;
//! - `set-meanwhile`: has another thread set handlers of its own while it acquires, many times, and
//!   says how many of them were lost;
//! - `drop-privileges`: acquires, forks a child that exits, changes to an ordinary user, and holds;
//! - `off`: acquires with `OnSignal::Off`;
//! - `off-later`: acquires and releases, acquires with `OnSignal::Off`.
//!
//! Those that hold then say `held`, and end as their input says: `close` closes the guard and
//! prints the error, `drop` drops it, `exit` exits with the guard alive, no input waits for a
//! signal.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::fs::File;
use std::io::{Error, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pidlock_core::{OnSignal, PidFile, PidGuard};
use pidlock_tests::{ORDINARY_UID, spawner};

/// How many times handlers are set meanwhile.
const ROUNDS: u32 = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, path, log) = match &arguments[..] {
        [what, path] => (what, Path::new(path), None),
        [what, path, log] => (what, Path::new(path), Some(Path::new(log))),
        _ => panic!("usage: forker WHAT PATH [LOG]"),
    };
    let file = PidFile::at(path);
    match what.as_str() {
        "releases" => releases(&file, path),
        "busy" => {
            spawner::start(log);
            let guard = acquire(&file);
            fork_and_wait(exit);
            let _child = start_cat();
            end(guard);
        }
        "leave" => leave(&file),
        "leave-kept" => leave(&file.keep(true)),
        "commit-late" => commit_late(&file),
        "child-drops" => child_drops(&file),
        "reopen" => {
            let guard = acquire(&file);
            let _reopened = reopen(path);
            end(guard);
        }
        "default-between" => {
            drop(acquire(&file));
            set_handlers(libc::SIG_DFL);
            end(acquire(&file));
        }
        "own-first" => {
            extern "C" fn ignore(_: c_int) {}
            set_handlers(ignore as extern "C" fn(c_int) as libc::sighandler_t);
            drop(acquire(&file));
            set_handlers(libc::SIG_DFL);
            end(acquire(&file));
        }
        "set-meanwhile" => set_meanwhile(&file),
        "drop-privileges" => {
            let guard = acquire(&file);
            fork_and_wait(exit);
            // SAFETY: takes a number.
            assert_eq!(unsafe { libc::setuid(ORDINARY_UID) }, 0);
            end(guard);
        }
        "off" => end(acquire(&file.on_signal(OnSignal::Off))),
        "off-later" => {
            drop(acquire(&file));
            end(acquire(&file.on_signal(OnSignal::Off)));
        }
        _ => panic!("unknown: {what}"),
    }
}

fn acquire(file: &PidFile) -> PidGuard {
    file.acquire().expect("the file is free")
}

fn end(guard: PidGuard) {
    say("held");
    match input().as_str() {
        "close" => match guard.close() {
            Ok(()) => say("closed"),
            Err(error) => say(&format!("{error:#?}").replace('\n', " ")),
        },
        "drop" => drop(guard),
        "exit" => std::process::exit(0),
        _ => loop {
            thread::park();
        },
    }
}

fn releases(file: &PidFile, path: &Path) {
    spawner::start(None);
    let (mut left, mut excused) = (0, 0);
    for round in 0..200 {
        let guard = acquire_beside_spawner(file);
        fork_and_wait(if round % 2 == 0 { exit } else { exec_true });
        spawner::forget_longest();
        guard.close().expect("a release");
        if path.exists() {
            match spawner::took(spawner::RELEASE_WAITS) {
                true => excused += 1,
                false => left += 1,
            }
        }
    }
    say(&format!("left {left}, excused {excused}"));
}

/// A started program may still share the lock of the file that was left to it.
fn acquire_beside_spawner(file: &PidFile) -> PidGuard {
    loop {
        match file.acquire() {
            Ok(guard) => return guard,
            Err(error) => assert!(spawner::took(spawner::START_WAITS), "{error}"),
        }
    }
}

fn leave(file: &PidFile) {
    let guard = acquire(file);
    let child = fork(|| {
        loop {
            // SAFETY: waits for a signal, and does nothing else.
            unsafe { libc::pause() };
        }
    });
    guard.close().expect("a release");
    say(&format!("released {child}"));
    input();
}

fn commit_late(file: &PidFile) {
    let reservation = file.reserve().expect("the file is free");
    // Longer than a holder may take from creating the file to writing its PID.
    thread::sleep(Duration::from_millis(100));
    // SAFETY: this program has one thread, so the child can do whatever its parent can.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            let guard = reservation.commit().expect("the first to commit");
            say(&format!("held {}", guard.pid()));
            input();
            guard.close().expect("a release");
        }
        child => wait_for(child),
    }
}

fn child_drops(file: &PidFile) {
    let mut guard = Some(acquire(file));
    // SAFETY: this program has one thread, so the child can do whatever its parent can.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            guard.take();
            exit();
        }
        child => wait_for(child),
    }
    let guard = guard.expect("the child has a copy");
    guard.verify().expect("held whatever the child does");
    say("held");
    input();
    guard.close().expect("a release");
}

/// Closes the pidfile's descriptor as daemons do, and has the pidfile get its number anew.
fn reopen(path: &Path) -> File {
    let link = std::fs::read_link("/proc/self/fd/3").expect("a descriptor");
    assert_eq!(link, path);
    // SAFETY: the guard that owns one of them must notice: that is what is tested.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    assert_eq!(closed, 0);
    let reopened = File::open(path).expect("the pidfile");
    assert_eq!(reopened.as_raw_fd(), 3);
    reopened
}

fn set_handlers(handler: libc::sighandler_t) {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: the handler is the default, or a function that does nothing.
        let old = unsafe { libc::signal(signal, handler) };
        assert_ne!(old, libc::SIG_ERR);
    }
}

/// The thread begins at the same moment as the acquire, and sets its handler later each time.
fn set_meanwhile(file: &PidFile) {
    extern "C" fn ignore(_: c_int) {}
    let own = ignore as extern "C" fn(c_int) as libc::sighandler_t;
    let begun = AtomicU32::new(0);
    let mut lost = 0;
    for round in 1..=ROUNDS {
        set_handlers(libc::SIG_DFL);
        let guard = thread::scope(|scope| {
            scope.spawn(|| {
                begun.store(round, Ordering::Release);
                for _ in 0..round % 1_000 {
                    std::hint::spin_loop();
                }
                set_handlers(own);
            });
            while begun.load(Ordering::Acquire) != round {
                std::hint::spin_loop();
            }
            acquire(file)
        });
        guard.close().expect("a release");
        // SAFETY: the handler is a function that does nothing.
        let found = unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
        lost += u32::from(found != own);
    }
    say(&format!("lost {lost}"));
}

/// `child` calls async-signal-safe functions only: this program may have threads.
fn fork(child: impl FnOnce()) -> c_int {
    // SAFETY: the child does what `child` does, and ends.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            child();
            exit();
            unreachable!("the child has ended")
        }
        child => child,
    }
}

fn fork_and_wait(child: fn()) {
    wait_for(fork(child));
}

fn wait_for(child: c_int) {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn exit() {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) };
}

fn exec_true() {
    exec(c"true");
}

fn exec(program: &CStr) {
    let arguments = [program.as_ptr(), ptr::null()];
    // SAFETY: the name and the arguments are C strings, and the list ends with a null pointer.
    unsafe { libc::execvp(program.as_ptr(), arguments.as_ptr()) };
}

/// Forks a child that calls exec, and waits until it has. It lives as long as what is returned.
fn start_cat() -> File {
    let (input, mut ours) = pipe();
    let (mut answer, output) = pipe();
    fork(|| {
        for (end, fd) in [(&input, 0), (&output, 1)] {
            // SAFETY: both are descriptors. The copies stay open in exec.
            unsafe { libc::dup2(end.as_raw_fd(), fd) };
        }
        exec(c"cat");
    });
    ours.write_all(b"?").expect("a pipe");
    // Once it answers, exec has closed all other descriptors.
    answer.read_exact(&mut [0]).expect("an answer");
    ours
}

/// Both ends are closed by exec.
fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0);
    // SAFETY: the call has just returned them, so nothing else owns them.
    let [read, write] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    (read, write)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One line, or nothing at the end of the input.
fn input() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("text");
    line.trim_end().to_owned()
}
