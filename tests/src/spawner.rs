//! A thread that starts programs without pause. Each shares all descriptors with this process until
//! exec has closed them, and a release waits for that for [`RELEASE_WAITS`] at most.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// On a busy machine a program can need longer than this until it has called exec. Then the release
/// may leave a blank file.
pub const RELEASE_WAITS: Duration = Duration::from_millis(25);

/// And longer than this, for which a start waits for a holder that is leaving.
pub const START_WAITS: Duration = Duration::from_millis(50);

/// When the program in progress was started, in nanoseconds; 0 if there is none.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// How long the slowest program took, from its start to its end.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// Starts the thread. It writes how it is getting on to `log`, for after the end of this process.
///
/// # Panics
///
/// If the log cannot be written.
pub fn start(log: Option<&Path>) {
    let log = log.map(|path| File::create(path).expect("a log can be created"));
    thread::spawn(move || {
        let write = || {
            if let Some(log) = &log {
                let now = [&BEGAN, &LONGEST].map(|value| value.load(Ordering::SeqCst));
                let bytes = now.map(u64::to_ne_bytes).concat();
                log.write_all_at(&bytes, 0).expect("the log can be written");
            }
        };
        loop {
            let began = now();
            BEGAN.store(began, Ordering::SeqCst);
            write();
            // Its end, because starting it returns before exec has closed the descriptors.
            Command::new("true").status().expect("true starts");
            LONGEST.fetch_max(now() - began, Ordering::SeqCst);
            BEGAN.store(0, Ordering::SeqCst);
            write();
        }
    });
}

/// Forgets the slowest program until now.
pub fn forget_longest() {
    LONGEST.store(0, Ordering::SeqCst);
}

/// Returns `true` if a program has taken at least as long, or has been in progress for as long.
#[must_use]
pub fn took(time: Duration) -> bool {
    // In this order: a program that ends meanwhile counts twice rather than not at all.
    let began = BEGAN.load(Ordering::SeqCst);
    slowest(began, LONGEST.load(Ordering::SeqCst)) >= time
}

/// The same of a process that has ended, from its log.
///
/// # Panics
///
/// If there is no log.
#[must_use]
pub fn took_in(log: &Path, time: Duration) -> bool {
    let bytes = std::fs::read(log).expect("a log");
    let values: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|value| u64::from_ne_bytes(value.try_into().expect("eight bytes")))
        .collect();
    slowest(values[0], values[1]) >= time
}

fn slowest(began: u64, longest: u64) -> Duration {
    let in_progress = if began == 0 { 0 } else { now() - began };
    Duration::from_nanos(longest.max(in_progress))
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let now = Duration::try_from(now).expect("the machine was started before");
    u64::try_from(now.as_nanos()).expect("the machine was started in this century")
}
