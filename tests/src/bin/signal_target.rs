//! Acquires and releases pidfiles until a signal kills it. Its output shows at which step.
//!
//! `signal_target WHAT [N] HOW PATH` prints `ready`. When its input ends it does WHAT, and then
//! waits for a signal. WHAT is
//! - `once`: acquires and releases
//! - `exit`: acquires and exits
//! - `again`: acquires and releases in a loop
//! - `threads N`: acquires and releases in a loop in N threads, each with its own pidfiles
//! - `forks`: acquires, forks a child and releases in a loop
//! - `hold N`: holds N pidfiles
//! - `cost N`: measures one more hold beside N pidfiles, prints the time and exits
//!
//! HOW is
//! - `locked`: acquires with the default settings
//! - `kept`: acquires with `keep(true)`
//! - `unlocked`: acquires with `lock(false)`
//! - `twice`: acquires two pidfiles at once
//! - `ignoring`: acquires with `OnSignal::Off`

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{OnSignal, PidFile, PidFileError, PidGuard};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() {
    // Ends a process that hangs. The test can distinguish SIGALRM from the signals that it sends.
    // SAFETY: alarm(2) takes an integer, and nothing else in this program uses the alarm clock.
    #[allow(unsafe_code)]
    unsafe {
        libc::alarm(30)
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, number, how, path) = match arguments[..] {
        [what, how, path] => (what, 1, how, Path::new(path)),
        [what, number, how, path] => (what, number.parse().expect("parse N"), how, path.as_ref()),
        _ => panic!("usage: signal_target WHAT [N] HOW PATH"),
    };
    let output = Output::new();
    if what == "cost" {
        return output.line(&cost(number, how, path).as_nanos().to_string());
    }
    let _held = match what {
        "hold" => hold(number, how, path),
        _ => Vec::new(),
    };
    output.line("ready");
    // Waits until the input ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    match what {
        "once" => {
            round(&output, how, path);
            output.line("done");
        }
        "exit" => {
            let _held = acquire(how, path);
            std::process::exit(0);
        }
        "again" => loop {
            round(&output, how, path);
        },
        "threads" => {
            for n in 0..number {
                let (how, path) = (how.to_owned(), numbered(path, n));
                thread::spawn(move || {
                    loop {
                        drop(acquire(&how, &path).expect("acquire a file of this thread"));
                    }
                });
            }
            output.line("busy");
        }
        "forks" => loop {
            round_with_child(&output, how, path);
        },
        "hold" => {}
        _ => panic!("unknown action {what}"),
    }
    loop {
        thread::park(); // until a signal arrives
    }
}

/// Unbuffered stdout. One system call writes a line, so a signal that kills the process loses no
/// line that was printed before.
struct Output(File);

impl Output {
    fn new() -> Self {
        let output = std::io::stdout().as_fd().try_clone_to_owned();
        Self(output.expect("duplicate stdout").into())
    }

    fn line(&self, line: &str) {
        // The test may have closed the pipe.
        let _ = (&self.0).write_all(format!("{line}\n").as_bytes());
    }
}

fn round(output: &Output, how: &str, path: &Path) {
    output.line("acquiring");
    match acquire(how, path) {
        Ok(held) => {
            output.line("inside");
            output.line("releasing");
            drop(held);
        }
        Err(error) if error.is_contention() => {}
        Err(error) => panic!("{error}"),
    }
    output.line("out");
}

fn acquire(how: &str, path: &Path) -> Result<Vec<PidGuard>, PidFileError> {
    let file = PidFile::at(path);
    Ok(match how {
        "locked" => vec![file.acquire()?],
        "kept" => vec![file.keep(true).acquire()?],
        "unlocked" => vec![file.lock(false).acquire()?],
        "ignoring" => vec![file.on_signal(OnSignal::Off).acquire()?],
        "twice" => vec![
            file.acquire()?,
            PidFile::at(path.with_extension("second")).acquire()?,
        ],
        _ => panic!("unknown way {how}"),
    })
}

fn numbered(path: &Path, n: usize) -> PathBuf {
    path.with_extension(format!("{n}.pid"))
}

/// Acquires, forks a child that drops its copy of the guard and exits, checks that the parent still
/// holds the pidfile, and releases it.
fn round_with_child(output: &Output, how: &str, path: &Path) {
    output.line("acquiring");
    let held = acquire(how, path).expect("acquire the pidfile");
    output.line("forking");
    // SAFETY: this program has one thread, so the child can call any function.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            drop(held);
            // SAFETY: `_exit` has no preconditions.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(0)
            }
        }
        child => {
            for guard in &held {
                guard
                    .verify()
                    .expect("the child does not release the pidfile");
            }
            output.line("releasing");
            drop(held);
            let child = rustix::process::Pid::from_raw(child);
            rustix::process::waitpid(child, rustix::process::WaitOptions::empty())
                .expect("wait for the child");
        }
    }
}

/// Acquires `number` pidfiles in the directory `held` below `path`.
fn hold(number: usize, how: &str, path: &Path) -> Vec<PidGuard> {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    setrlimit(Resource::Nofile, raised).expect("raise the limit of descriptors");
    (0..number)
        .flat_map(|n| {
            let path = path.join(format!("held/{n}.pid"));
            acquire(how, &path).expect("acquire a pidfile")
        })
        .collect()
}

/// Returns how long it takes to acquire and release one more pidfile beside `number` held ones.
fn cost(number: usize, how: &str, path: &Path) -> Duration {
    let _held = hold(number, how, path);
    least_of_many(how, &path.join("one.pid"))
}

/// Returns the least time that acquiring and releasing takes. This is a separate function without
/// closures so that a profiler can count its instructions.
#[inline(never)]
fn least_of_many(how: &str, path: &Path) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..500 {
        let start = Instant::now();
        drop(acquire(how, path).expect("acquire the pidfile"));
        least = least.min(start.elapsed());
    }
    least
}
