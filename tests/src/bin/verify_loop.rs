//! A holder whose file a third party deletes or replaces: is it told?
//!
//! `verify_loop HOW PATH HOLD TRUCE`: HOW is `locked`, `unlocked` or `kept`, as for `contender`;
//! HOLD is a time to stay inside in microseconds, in which it asks `verify` all the time. TRUCE is a
//! file that it locks while it gives the pidfile back, or `-`. It looks for itself whether the file
//! went. The code that it ends with says how it went.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use rustix::fs::{FlockOperation, flock};

const REFUSED: u8 = 3;
const FAILED: u8 = 4;
/// The file went, and both `verify` and `close` said so.
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
        // What the third party put there, or that it did so again and again.
        Err(error) => {
            let expected = error.is_contention()
                || matches!(error, PidFileError::Unreadable { .. })
                || std::io::Error::from(error).kind() == std::io::ErrorKind::TimedOut;
            return ExitCode::from(if expected { REFUSED } else { FAILED });
        }
    };
    let open = descriptor(path.parent().expect("a directory"));
    let (id, _) = look(&open);
    let went = || look(&open).1 == 0;
    // The kernel takes the link from the file a moment before it takes the file from the path: a path
    // that shows it without links does not refer to it any more.
    let named =
        || fs::symlink_metadata(path).is_ok_and(|there| there.ino() == id && there.nlink() > 0);
    let replaced = |answer: &Result<(), PidFileError>| match answer {
        Ok(()) => Some(false),
        Err(PidFileError::Replaced { .. }) => Some(true),
        Err(_) => None,
    };
    let hold = Duration::from_micros(hold.parse().expect("a time"));
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
    let truce = (truce != "-").then(|| File::open(truce).expect("a file to lock"));
    if let Some(truce) = &truce {
        flock(truce, FlockOperation::LockShared).expect("a truce");
    }
    let went_before = went();
    match replaced(&guard.close()) {
        Some(told) if went_before && !told => ExitCode::from(NOT_TOLD),
        Some(true) => ExitCode::from(TOLD),
        Some(false) => ExitCode::SUCCESS,
        None => ExitCode::from(FAILED),
    }
}

/// The descriptor of the guard: no other file of this directory is open here.
fn descriptor(directory: &Path) -> PathBuf {
    fs::read_dir("/proc/self/fd")
        .expect("a list of descriptors")
        .map(|entry| entry.expect("an entry").path())
        .find(|entry| {
            let target = fs::read_link(entry).unwrap_or_default();
            target.parent() == Some(directory) && fs::metadata(entry).is_ok_and(|m| m.is_file())
        })
        .expect("the pidfile's descriptor")
}

/// Its inode and number of links.
fn look(open: &Path) -> (u64, u64) {
    let found = fs::metadata(open).expect("an open file");
    (found.ino(), found.nlink())
}
