//! Acquires and releases, and is killed meanwhile: at what moment, its output tells.
//!
//! `signal_target WHAT HOW PATH`: HOW is `locked`, `kept` (`keep(true)`), `unlocked`
//! (`lock(false)`), `twice` (two pidfiles at once), or `ignoring` (`OnSignal::Off`). It says
//! `ready`, and when its input ends does WHAT:
//! `once` acquires and releases, `exit` acquires and exits, `again` goes round and round,
//! `threads N` in N threads, each with pidfiles of its own, `forks` with children that come and go,
//! `hold N` holds N of them, `cost N` says how long a further hold takes beside N. Then it waits
//! for a signal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{OnSignal, PidFile, PidFileError, PidGuard};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() {
    // Whoever hangs is ended by this, which its parent can tell from the signals that it sent.
    // SAFETY: sets this process's alarm clock (alarm(2)); nothing else here uses it.
    #[allow(unsafe_code)]
    unsafe {
        libc::alarm(30)
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, number, how, path) = match arguments[..] {
        [what, how, path] => (what, 1, how, Path::new(path)),
        [what, number, how, path] => (what, number.parse().expect("a number"), how, path.as_ref()),
        _ => panic!("usage: signal_target WHAT [N] HOW PATH"),
    };
    let says = Says::new();
    if what == "cost" {
        return says.line(&cost(number, how, path).as_nanos().to_string());
    }
    let _held = match what {
        "hold" => hold(number, how, path),
        _ => Vec::new(),
    };
    says.line("ready");
    // Until its input ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    match what {
        "once" => {
            round(&says, how, path);
            says.line("done");
        }
        "exit" => {
            let _held = acquire(how, path);
            std::process::exit(0);
        }
        "again" => loop {
            round(&says, how, path);
        },
        "threads" => {
            for n in 0..number {
                let (how, path) = (how.to_owned(), numbered(path, n));
                thread::spawn(move || {
                    loop {
                        drop(acquire(&how, &path).expect("a path of its own"));
                    }
                });
            }
            says.line("busy");
        }
        "forks" => loop {
            round_with_child(&says, how, path);
        },
        "hold" => {}
        _ => panic!("unknown action {what}"),
    }
    loop {
        thread::park(); // until the signal
    }
}

/// The output, line by line, in one system call each: what has been said is known, however soon
/// the end comes.
struct Says(File);

impl Says {
    fn new() -> Self {
        let output = std::io::stdout().as_fd().try_clone_to_owned();
        Self(output.expect("an output").into())
    }

    fn line(&self, line: &str) {
        // Nobody may be listening any more.
        let _ = (&self.0).write_all(format!("{line}\n").as_bytes());
    }
}

fn round(says: &Says, how: &str, path: &Path) {
    says.line("acquiring");
    match acquire(how, path) {
        Ok(held) => {
            says.line("inside");
            says.line("releasing");
            drop(held);
        }
        Err(error) if error.is_contention() => {}
        Err(error) => panic!("{error}"),
    }
    says.line("out");
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

/// Holds, forks a child that lets its copy of the guard go and ends, checks that it still holds,
/// and releases.
fn round_with_child(says: &Says, how: &str, path: &Path) {
    says.line("acquiring");
    let held = acquire(how, path).expect("a path of its own");
    says.line("forking");
    // SAFETY: this program has one thread, so the child may do whatever its parent may.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            drop(held);
            // SAFETY: ends the process at once.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(0)
            }
        }
        child => {
            for guard in &held {
                guard.verify().expect("held whatever the child does");
            }
            says.line("releasing");
            drop(held);
            let child = rustix::process::Pid::from_raw(child);
            rustix::process::waitpid(child, rustix::process::WaitOptions::empty())
                .expect("the child ends");
        }
    }
}

/// Pidfiles side by side, as many as asked for, in a directory of their own.
fn hold(number: usize, how: &str, path: &Path) -> Vec<PidGuard> {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    setrlimit(Resource::Nofile, raised).expect("as many files as may be");
    (0..number)
        .flat_map(|n| {
            let path = path.join(format!("held/{n}.pid"));
            acquire(how, &path).expect("a path of its own")
        })
        .collect()
}

/// How long a further hold takes.
fn cost(number: usize, how: &str, path: &Path) -> Duration {
    let _held = hold(number, how, path);
    least_of_many(how, &path.join("one.pid"))
}

/// The least time that acquiring and releasing takes. A function of its own, and without closures,
/// so that its instructions can be counted from outside.
fn least_of_many(how: &str, path: &Path) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..500 {
        let start = Instant::now();
        drop(acquire(how, path).expect("a path of its own"));
        least = least.min(start.elapsed());
    }
    least
}
