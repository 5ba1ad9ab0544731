//! The operations that are measured.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A number that no process ever has: Linux gives at most 4,194,304 (proc_sys_kernel(5)).
const NONEXISTENT_PID: i32 = i32::MAX;

/// One of the four things that a program does with a pidfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Acquire and release where there is no file.
    Fresh,
    /// Acquire and release over the file of a process that is gone.
    Stale,
    /// A start that is refused, because another process holds the file, and says which.
    Contended,
    /// A look at a file that another process holds.
    Status,
}

impl Operation {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Stale, Self::Contended, Self::Status];

    /// Its name in tables and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Contended => "contended",
            Self::Status => "status",
        }
    }

    /// Whether another process holds the file meanwhile.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Contended | Self::Status)
    }

    /// Makes the file what the operation is to find. The file of a holder is left alone.
    ///
    /// # Panics
    ///
    /// If it cannot be written or removed.
    pub fn prepare(self, path: &Path) {
        match self {
            Self::Fresh => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            },
            // Longer than any PID of Linux: it must always be cut.
            Self::Stale => {
                fs::write(path, format!("{NONEXISTENT_PID}\n")).expect("the file can be written");
                // As our own holders leave it when they are killed: the sticky bit says that they lock.
                let marked = Permissions::from_mode(0o1644);
                fs::set_permissions(path, marked).expect("the file is ours");
            }
            Self::Contended | Self::Status => {}
        }
    }

    /// How long `count` in a row take, each on a file that was prepared for it.
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
            .ok_or_else(|| format!("no operation {name}"))
    }
}
