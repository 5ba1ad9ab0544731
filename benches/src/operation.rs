//! The measured operations.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A PID that no process has: Linux assigns at most 4,194,304 (proc_sys_kernel(5)).
const NONEXISTENT_PID: i32 = i32::MAX;

/// An operation on a pidfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Acquire and release without an existing file.
    Fresh,
    /// Acquire and release over the stale file of a dead process.
    Stale,
    /// A start that is refused because another process holds the file, and reports its PID.
    Contended,
    /// An inspection of a file that another process holds.
    Status,
}

impl Operation {
    /// All operations, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Stale, Self::Contended, Self::Status];

    /// Returns the name in tables and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Contended => "contended",
            Self::Status => "status",
        }
    }

    /// Returns `true` if another process holds the file during the operation.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Contended | Self::Status)
    }

    /// Creates or removes the file, as the operation requires. Leaves a holder's file alone.
    ///
    /// # Panics
    ///
    /// If the file cannot be written or removed.
    pub fn prepare(self, path: &Path) {
        match self {
            Self::Fresh => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            },
            // The PID has more digits than any PID of Linux, so every start has to truncate the
            // file.
            Self::Stale => {
                fs::write(path, format!("{NONEXISTENT_PID}\n")).expect("write the file");
                // The mode that a killed holder leaves. The sticky bit marks the file of a process
                // that locks.
                let marked = Permissions::from_mode(0o1644);
                fs::set_permissions(path, marked).expect("set the mode of the file");
            }
            Self::Contended | Self::Status => {}
        }
    }

    /// Returns how long `count` runs take. The preparation of the file before each run is not
    /// included.
    pub fn total(self, run: fn(&Path), path: &Path, count: u64) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            self.prepare(path);
            let start = Instant::now();
            run(path);
            total += start.elapsed();
        }
        total
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| format!("unknown operation {name}"))
    }
}
