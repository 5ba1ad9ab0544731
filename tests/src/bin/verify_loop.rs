//! Holds a pidfile that another process removes or replaces, and checks that `verify` and `close`
//! report this. The exit code is the outcome.
//!
//! `verify_loop HOW PATH HOLD TRUCE`
//! - HOW: `locked`, `unlocked` (`lock(false)`) or `kept` (`keep(true)`)
//! - HOLD: how long to hold, in microseconds, while it calls `verify` in a loop
//! - TRUCE: a file that it locks during the release, or `-`; the other process replaces nothing
//!   while that file is locked

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use rustix::fs::{FlockOperation, flock};

const REFUSED: u8 = 3;
const FAILED: u8 = 4;
/// The file was removed or replaced, and `close` reported it.
const TOLD: u8 = 10;
const NOT_TOLD: u8 = 11;
const TOLD_WITHOUT_CAUSE: u8 = 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, path, hold, truce] = &arguments[..] else {
        panic!("usage: verify_loop HOW PATH HOLD TRUCE");
    };
    let path = Path::new(path);
    let file = PidFile::at(path)
        .lock(how != "unlocked")
        .keep(how == "kept");
    let guard = match file.acquire() {
        Ok(guard) => guard,
        // Expected if another process holds, writes or keeps replacing the file.
        Err(error) => {
            let expected = error.is_contention()
                || matches!(error, PidFileError::Unreadable { .. })
                || std::io::Error::from(error).kind() == std::io::ErrorKind::TimedOut;
            return ExitCode::from(if expected { REFUSED } else { FAILED });
        }
    };
    let open = descriptor(path.parent().expect("the path has a parent"));
    let (id, _) = look(&open);
    let went = || look(&open).1 == 0;
    // During an unlink, the kernel decrements the link count before it removes the name. A file
    // with a link count of 0 at the path counts as removed.
    let named =
        || fs::symlink_metadata(path).is_ok_and(|there| there.ino() == id && there.nlink() > 0);
    let replaced = |answer: &Result<(), PidFileError>| match answer {
        Ok(()) => Some(false),
        Err(PidFileError::Replaced { .. }) => Some(true),
        Err(_) => None,
    };
    let hold = Duration::from_micros(hold.parse().expect("parse HOLD"));
    let end = Instant::now() + hold;
    loop {
        let went_before = went();
        let Some(told) = replaced(&guard.verify()) else {
            return ExitCode::from(FAILED);
        };
        if went_before && !told {
            return ExitCode::from(NOT_TOLD);
        }
        if told && named() {
            return ExitCode::from(TOLD_WITHOUT_CAUSE);
        }
        if Instant::now() >= end {
            break;
        }
    }
    let truce = (truce != "-").then(|| File::open(truce).expect("open the truce file"));
    if let Some(truce) = &truce {
        flock(truce, FlockOperation::LockShared).expect("lock the truce file");
    }
    let went_before = went();
    match replaced(&guard.close()) {
        Some(told) if went_before && !told => ExitCode::from(NOT_TOLD),
        Some(true) => ExitCode::from(TOLD),
        Some(false) => ExitCode::SUCCESS,
        None => ExitCode::from(FAILED),
    }
}

/// Returns the `/proc` path of the guard's descriptor. No other file in `directory` is open.
fn descriptor(directory: &Path) -> PathBuf {
    fs::read_dir("/proc/self/fd")
        .expect("list the descriptors")
        .map(|entry| entry.expect("read a directory entry").path())
        .find(|entry| {
            let target = fs::read_link(entry).unwrap_or_default();
            target.parent() == Some(directory) && fs::metadata(entry).is_ok_and(|m| m.is_file())
        })
        .expect("find the descriptor of the pidfile")
}

/// Returns the inode and the link count of an open file.
fn look(open: &Path) -> (u64, u64) {
    let found = fs::metadata(open).expect("read the metadata of the open file");
    (found.ino(), found.nlink())
}
