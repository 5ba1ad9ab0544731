//! Acquires a pidfile. While it holds the pidfile, or between two acquisitions, it forks, loses the
//! descriptor or changes signal handlers.
//!
//! `forker WHAT PATH [LOG]`, where WHAT is
//! - `releases`: starts programs in another thread continuously; 200 times acquires, forks a child
//!   that exits or calls exec, releases, and checks that the file is removed
//! - `busy`: starts programs in another thread, which logs to LOG (see `pidlock_tests::spawner`);
//!   acquires, and forks children that exit or call exec
//! - `fork-once`: acquires, forks a child that exits, and holds
//! - `leave`, `leave-kept`: forks a child that does not exit, releases, and prints `released CHILD`
//! - `commit-late`: reserves, and 100 ms later forks a child that commits, prints `held PID` and
//!   holds the pidfile until the input ends
//! - `child-drops`: forks a child that drops its copy of the guard and exits; verifies, prints
//!   `held`, and releases when the input ends
//! - `reopen`: closes all descriptors from 3 on and opens the pidfile for reading, which reuses the
//!   number of the closed descriptor
//! - `default-between`: acquires and releases, resets the signal handlers, and acquires
//! - `own-first`: sets its own handlers, acquires and releases, resets the handlers, and acquires
//! - `set-meanwhile`: acquires many times while another thread sets its own handlers, and prints
//!   how many of those handlers were lost
//! - `drop-privileges`: acquires, forks a child that exits, changes to an ordinary user, and holds
//! - `off`: acquires with `OnSignal::Off`
//! - `off-later`: acquires and releases, and acquires with `OnSignal::Off`
//!
//! A program that still holds the pidfile then prints `held`. The next line of its input says how
//! it ends:
//! - `close`: closes the guard and prints the result
//! - `drop`: drops the guard
//! - `exit`: exits without dropping the guard
//! - no line: waits for a signal

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

/// How often `set-meanwhile` acquires.
const ROUNDS: u32 = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, path, log) = match &arguments[..] {
        [what, path] => (what, Path::new(path), None),
        [what, path, log] => (what, Path::new(path), Some(Path::new(log))),
        _ => panic!("usage: forker WHAT PATH [LOG]"),
    };
    // The parent may have ignored the termination signals, as a shell does for a command in the
    // background.
    set_handlers(libc::SIG_DFL);
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
        "fork-once" => {
            let guard = acquire(&file);
            fork_and_wait(exit);
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
            // SAFETY: setuid(2) takes an integer and changes no memory.
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
        guard.close().expect("release the pidfile");
        if path.exists() {
            match spawner::took(spawner::RELEASE_WAITS) {
                true => excused += 1,
                false => left += 1,
            }
        }
    }
    say(&format!("left {left}, excused {excused}"));
}

/// Acquires the pidfile. Retries while a child of the spawner holds the lock of a file that an
/// earlier release left.
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
            // SAFETY: pause(2) has no preconditions and is async-signal-safe.
            unsafe { libc::pause() };
        }
    });
    guard.close().expect("release the pidfile");
    say(&format!("released {child}"));
    input();
}

fn commit_late(file: &PidFile) {
    let reservation = file.reserve().expect("the file is free");
    // A start takes the recorded process for the holder without further checks if the record was
    // written within 50 ms of the creation of the file. The test needs those checks, so the child
    // writes its record later.
    thread::sleep(Duration::from_millis(100));
    // SAFETY: this program has one thread, so the child can call any function.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            let guard = reservation.commit().expect("the first commit succeeds");
            say(&format!("held {}", guard.pid()));
            input();
            guard.close().expect("release the pidfile");
        }
        child => wait_for(child),
    }
}

fn child_drops(file: &PidFile) {
    let mut guard = Some(acquire(file));
    // SAFETY: this program has one thread, so the child can call any function.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            guard.take();
            exit();
        }
        child => wait_for(child),
    }
    let guard = guard.expect("only the child takes the guard");
    guard
        .verify()
        .expect("the child does not release the pidfile");
    say("held");
    input();
    guard.close().expect("release the pidfile");
}

/// Closes all descriptors as daemons do, and opens the pidfile again. The new descriptor has the
/// number of the closed one.
fn reopen(path: &Path) -> File {
    let link = std::fs::read_link("/proc/self/fd/3").expect("read the path of the descriptor");
    assert_eq!(link, path);
    // SAFETY: closes a descriptor that the guard owns. This is what the test is about: the guard
    // must detect it.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    assert_eq!(closed, 0);
    let reopened = File::open(path).expect("open the pidfile");
    assert_eq!(reopened.as_raw_fd(), 3);
    reopened
}

fn set_handlers(handler: libc::sighandler_t) {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: the handler is `SIG_DFL` or a function that does nothing.
        let old = unsafe { libc::signal(signal, handler) };
        assert_ne!(old, libc::SIG_ERR);
    }
}

/// Acquires in a loop while a thread sets its own handlers. In each round, the thread starts at the
/// same moment as the acquisition. It then sets the handlers after a delay that grows from round to
/// round.
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
        guard.close().expect("release the pidfile");
        // SAFETY: `SIG_DFL` runs no code of this program.
        let found = unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
        lost += u32::from(found != own);
    }
    say(&format!("lost {lost}"));
}

/// Forks a child that calls `child` and exits. `child` must call only async-signal-safe functions,
/// because this program can have threads.
fn fork(child: impl FnOnce()) -> c_int {
    // SAFETY: all callers pass a `child` that calls only async-signal-safe functions.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        0 => {
            child();
            exit();
            unreachable!("the child has exited")
        }
        child => child,
    }
}

fn fork_and_wait(child: fn()) {
    wait_for(fork(child));
}

fn wait_for(child: c_int) {
    let mut status = 0;
    // SAFETY: `status` is valid for writes during the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn exit() {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(0) };
}

fn exec_true() {
    exec(c"true");
}

fn exec(program: &CStr) {
    let arguments = [program.as_ptr(), ptr::null()];
    // SAFETY: the program name and its argument are C strings, and the list ends with a null
    // pointer.
    unsafe { libc::execvp(program.as_ptr(), arguments.as_ptr()) };
}

/// Forks a child that executes `cat`, and waits until it has done so. The child exits when the
/// returned file is closed.
fn start_cat() -> File {
    let (input, mut ours) = pipe();
    let (mut answer, output) = pipe();
    fork(|| {
        for (end, fd) in [(&input, 0), (&output, 1)] {
            // Exec does not close the copies.
            // SAFETY: `end` is open, and nothing in the child owns the standard descriptors.
            unsafe { libc::dup2(end.as_raw_fd(), fd) };
        }
        exec(c"cat");
    });
    ours.write_all(b"?").expect("write to cat");
    // When `cat` answers, exec has closed all other descriptors.
    answer.read_exact(&mut [0]).expect("read from cat");
    ours
}

/// Creates a pipe. Exec closes both ends.
fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0);
    // SAFETY: `pipe2` has just created these descriptors, so nothing else owns them.
    let [read, write] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    (read, write)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Reads a line. Returns an empty string at the end of the input.
fn input() -> String {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("read a line of text");
    line.trim_end().to_owned()
}
