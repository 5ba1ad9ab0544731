//! A thread that starts programs continuously. Each child shares all descriptors with this process
//! until exec closes them. A release waits at most [`RELEASE_WAITS`] for such a child.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long a release waits for a child to call exec. On a busy machine a child can take longer,
/// and then the release can leave a blank file.
pub const RELEASE_WAITS: Duration = Duration::from_millis(25);

/// How long a start waits for the lock of a holder that is exiting. On a busy machine a child can
/// share that lock for longer, and then the start is refused.
pub const START_WAITS: Duration = Duration::from_millis(50);

/// The start time of the program in progress, in nanoseconds; 0 if there is none.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// The longest time from the start of a program to its exit, in nanoseconds.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// Starts the thread. The thread writes its progress to `log`, which [`took_in`] reads after this
/// process has exited.
///
/// # Panics
///
/// If the log cannot be created.
pub fn start(log: Option<&Path>) {
    let log = log.map(|path| File::create(path).expect("create the log"));
    thread::spawn(move || {
        let write = || {
            if let Some(log) = &log {
                let now = [&BEGAN, &LONGEST].map(|value| value.load(Ordering::SeqCst));
                let bytes = now.map(u64::to_ne_bytes).concat();
                log.write_all_at(&bytes, 0).expect("write the log");
            }
        };
        loop {
            let began = now();
            BEGAN.store(began, Ordering::SeqCst);
            write();
            // Not `spawn`, which can return before exec has closed all descriptors.
            Command::new("true").status().expect("run true");
            LONGEST.fetch_max(now() - began, Ordering::SeqCst);
            BEGAN.store(0, Ordering::SeqCst);
            write();
        }
    });
}

/// Resets the longest time to zero.
pub fn forget_longest() {
    LONGEST.store(0, Ordering::SeqCst);
}

/// Returns `true` if a program has taken at least `time`, or has been in progress for that long.
#[must_use]
pub fn took(time: Duration) -> bool {
    // A program that exits between the two reads counts twice. In the opposite order it could be
    // missed.
    let began = BEGAN.load(Ordering::SeqCst);
    slowest(began, LONGEST.load(Ordering::SeqCst)) >= time
}

/// Returns `true` if, according to the log of a process that has exited, a program took at least
/// `time`.
///
/// # Panics
///
/// If the log cannot be read.
#[must_use]
pub fn took_in(log: &Path, time: Duration) -> bool {
    let bytes = std::fs::read(log).expect("read the log");
    let values: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|value| u64::from_ne_bytes(value.try_into().expect("a chunk has eight bytes")))
        .collect();
    slowest(values[0], values[1]) >= time
}

fn slowest(began: u64, longest: u64) -> Duration {
    let in_progress = if began == 0 { 0 } else { now() - began };
    Duration::from_nanos(longest.max(in_progress))
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let now = Duration::try_from(now).expect("the monotonic clock is not negative");
    u64::try_from(now.as_nanos()).expect("the time in nanoseconds fits into 64 bits")
}
