//! A thread that starts programs without pause. Each shares all descriptors with this process until
//! it calls exec, and a release waits for that for [`PATIENCE`] at most.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// On a busy machine a program can need longer than this until it calls exec. Then the release may
/// leave a blank file.
pub const PATIENCE: Duration = Duration::from_millis(5);

/// When the start in progress began, in nanoseconds; 0 if there is none.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// How long the slowest start took.
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
            // Returns once the program has called exec.
            let mut child = Command::new("true").spawn().expect("true starts");
            LONGEST.fetch_max(now() - began, Ordering::SeqCst);
            BEGAN.store(0, Ordering::SeqCst);
            write();
            child.wait().expect("true ends");
        }
    });
}

/// Forgets the slowest start until now.
pub fn forget_longest() {
    LONGEST.store(0, Ordering::SeqCst);
}

/// Returns `true` if a start has taken longer than a release waits, or has been in progress for as
/// long.
#[must_use]
pub fn was_slow() -> bool {
    // In this order: a start that ends meanwhile counts twice rather than not at all.
    let began = BEGAN.load(Ordering::SeqCst);
    is_slow(began, LONGEST.load(Ordering::SeqCst))
}

/// The same of a process that has ended, from its log.
///
/// # Panics
///
/// If there is no log.
#[must_use]
pub fn was_slow_in(log: &Path) -> bool {
    let bytes = std::fs::read(log).expect("a log");
    let values: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|value| u64::from_ne_bytes(value.try_into().expect("eight bytes")))
        .collect();
    is_slow(values[0], values[1])
}

fn is_slow(began: u64, longest: u64) -> bool {
    let in_progress = if began == 0 { 0 } else { now() - began };
    u128::from(longest.max(in_progress)) >= PATIENCE.as_nanos()
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let now = Duration::try_from(now).expect("the machine was started before");
    u64::try_from(now.as_nanos()).expect("the machine was started in this century")
}
