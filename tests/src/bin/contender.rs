//! One of many competing starts: tries once to acquire, checks that it is the only holder, and
//! reports the outcome by its exit code.
//!
//! `contender HOW PATH ORACLE GATE HOLD [LOG]`
//! - HOW: `locked`, `unlocked` (`lock(false)`), `kept` (`keep(true)`), `naive`, a protocol that
//!   does not check the path again after locking, or `early`, a protocol that refuses starts as
//!   long as the recorded process is alive: on release it unlocks the file first, removes it a
//!   moment later, and then exits
//! - ORACLE: a file whose `fcntl` lock shows whether another contender holds the pidfile; the
//!   pidfile's protocol does not use such locks
//! - GATE: a file; the program first waits until it is unlocked; `-` for no wait
//! - HOLD: how long to hold, in microseconds; or `crash` or `term`, to be killed by SIGKILL or
//!   SIGTERM while holding; or a file, to hold until it is unlocked
//! - LOG: a file to append events to: a line with `inside`, `crash`, `term` or `conflict`, the time
//!   in nanoseconds, and a PID: of the other holder for `conflict`, else of this process

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidGuard};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;
use rustix::process::{
    Flock, FlockType, Pid, Signal, fcntl_getlk, getpid, kill_process, test_kill_process,
};
use rustix::time::{ClockId, clock_gettime};

const REFUSED: u8 = 3;
const FAILED: u8 = 4;
const NOT_ALONE: u8 = 5;
const NOT_NAMED: u8 = 6;
const NOT_RELEASED: u8 = 7;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some([how, path, oracle, gate, hold]) = arguments.first_chunk() else {
        panic!("usage: contender HOW PATH ORACLE GATE HOLD [LOG]");
    };
    let log = Log::open(arguments.get(5));
    let path = Path::new(path);
    // Opened before the pidfile: when a process is killed, the kernel closes its descriptors in
    // ascending order, and so it unlocks the oracle before the pidfile.
    let oracle = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(oracle)
        .expect("open the oracle");
    if gate != "-" {
        println!("ready");
        wait_for(gate);
    }
    let inside = match enter(how, path) {
        Ok(inside) => inside,
        Err(code) => return ExitCode::from(code),
    };
    let entered = Log::now();
    if let Some(other) = meet(&oracle) {
        log.write("conflict", entered, other);
        return ExitCode::from(NOT_ALONE);
    }
    let me = getpid().as_raw_pid();
    log.write("inside", entered, me);
    let named = || {
        fs::read_to_string(path).is_ok_and(|text| text.trim_end() == std::process::id().to_string())
    };
    let mut always_named = named();
    match hold.parse() {
        Ok(time) => {
            let end = Instant::now() + Duration::from_micros(time);
            while Instant::now() < end {
                always_named &= named();
            }
        }
        Err(_) if hold == "crash" || hold == "term" => {
            log.write(hold, Log::now(), me);
            let signal = match hold.as_str() {
                "crash" => Signal::KILL,
                _ => Signal::TERM,
            };
            let _ = kill_process(getpid(), signal);
        }
        Err(_) => {
            println!("inside");
            wait_for(hold);
            always_named &= named();
        }
    }
    // Unlocks the oracle, because closing any descriptor of a file releases the process's `fcntl`
    // locks on that file.
    drop(oracle);
    let released = inside.leave(path);
    ExitCode::from(match (always_named, released) {
        (false, _) => NOT_NAMED,
        (true, false) => NOT_RELEASED,
        (true, true) => 0,
    })
}

/// Locks the oracle for this process. Returns the PID of its holder if it is locked already.
fn meet(oracle: &File) -> Option<i32> {
    loop {
        let lock = Flock::from(FlockType::WriteLock);
        let found = fcntl_getlk(oracle, &lock).expect("query the lock of the oracle");
        if let Some(pid) = found.and_then(|lock| lock.pid) {
            return Some(pid.as_raw_pid());
        }
        if fcntl_lock(oracle, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return None;
        }
    }
}

struct Log(Option<File>);

impl Log {
    fn open(path: Option<&String>) -> Self {
        Self(path.map(|path| {
            File::options()
                .append(true)
                .open(path)
                .expect("open the log")
        }))
    }

    /// The time in nanoseconds, by a clock that all processes share.
    fn now() -> i128 {
        let now = clock_gettime(ClockId::Monotonic);
        i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
    }

    /// Appends a line in a single write, because other processes write to the log too.
    fn write(&self, what: &str, time: i128, pid: i32) {
        if let Some(mut file) = self.0.as_ref() {
            let line = format!("{what} {time} {pid}\n");
            file.write_all(line.as_bytes()).expect("append to the log");
        }
    }
}

fn wait_for(gate: &str) {
    let gate = File::open(gate).expect("open the gate");
    flock(&gate, FlockOperation::LockShared).expect("wait until the gate is unlocked");
}

enum Inside {
    Guarded(PidGuard),
    Naive(File),
    Early(File),
}

fn enter(how: &str, path: &Path) -> Result<Inside, u8> {
    let file = PidFile::at(path);
    let acquired = match how {
        "locked" => file.acquire(),
        "unlocked" => file.lock(false).acquire(),
        "kept" => file.keep(true).acquire(),
        "early" => return enter_by_record(path),
        _ => return enter_naively(path),
    };
    match acquired {
        Ok(guard) => Ok(Inside::Guarded(guard)),
        Err(error) if error.is_contention() => Err(REFUSED),
        Err(error) => {
            eprintln!("contender: {error}");
            Err(FAILED)
        }
    }
}

/// The protocol `early`: a start is refused if the lock is held, or if the recorded process is
/// alive.
fn enter_by_record(path: &Path) -> Result<Inside, u8> {
    loop {
        let file = open_or_create(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| REFUSED)?;
        let recorded = fs::read_to_string(path).unwrap_or_default();
        let recorded = recorded.trim_end().parse().ok().and_then(Pid::from_raw);
        let is_alive = |pid| test_kill_process(pid) != Err(Errno::SRCH);
        if recorded.is_some_and(|pid| pid != getpid() && is_alive(pid)) {
            return Err(REFUSED);
        }
        let opened = file.metadata().map_err(|_| FAILED)?;
        let is_there = fs::metadata(path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (opened.dev(), opened.ino()));
        if is_there {
            write_record(&file)?;
            return Ok(Inside::Early(file));
        }
    }
}

/// The protocol `naive`, which is common: lock, write, and remove on release, without checking that
/// the locked file is still at the path.
fn enter_naively(path: &Path) -> Result<Inside, u8> {
    let file = open_or_create(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| REFUSED)?;
    write_record(&file)?;
    Ok(Inside::Naive(file))
}

fn open_or_create(path: &Path) -> Result<File, u8> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o644).open(path).map_err(|_| FAILED)
}

fn write_record(file: &File) -> Result<(), u8> {
    let record = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all_at(record.as_bytes(), 0))
        .map_err(|_| FAILED)
}

impl Inside {
    fn leave(self, path: &Path) -> bool {
        match self {
            Inside::Guarded(guard) => match guard.close() {
                Ok(()) => true,
                Err(error) => {
                    eprintln!("contender: {error}");
                    false
                }
            },
            Inside::Early(file) => {
                let unlocked = flock(&file, FlockOperation::Unlock);
                // Meanwhile other starts lock the file, find this process alive, and are refused.
                thread::sleep(Duration::from_micros(u64::from(std::process::id() % 400)));
                unlocked.is_ok() && fs::remove_file(path).is_ok()
            }
            Inside::Naive(file) => {
                let removed = fs::remove_file(path).is_ok();
                drop(file);
                removed
            }
        }
    }
}
