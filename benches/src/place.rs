//! Where the pidfiles are: in memory, and on a disk.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory of our own.
#[derive(Debug)]
pub struct Place {
    /// What it is on, in tables.
    pub name: String,
    dir: TempDir,
}

impl Place {
    /// On tmpfs, as `/run` is.
    #[must_use]
    pub fn memory() -> Self {
        Self::new("tmpfs", Path::new("/dev/shm"))
    }

    /// On the file system of the build, where that is a disk's.
    #[must_use]
    pub fn disk() -> Self {
        let target = target();
        Self::new(&file_system(&target), &target)
    }

    fn new(name: &str, parent: &Path) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("pidlock-benches.")
            .tempdir_in(parent)
            .unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        Self {
            name: name.into(),
            dir,
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// The folder of the programs that were built with this one.
///
/// # Panics
///
/// If this program does not know where it is.
#[must_use]
pub fn built() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let folder = program.parent().expect("in a folder");
    match folder.ends_with("deps") {
        true => folder.parent().expect("in cargo's").into(),
        false => folder.into(),
    }
}

/// Cargo's target directory.
#[must_use]
pub fn target() -> PathBuf {
    built().parent().expect("in the target directory").into()
}

/// The type of the file system that a path is on, as `/proc/self/mountinfo` has it.
fn file_system(path: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let point = before.split(' ').nth(4)?;
            let kind = after.split(' ').next()?;
            path.starts_with(point).then_some((point.len(), kind))
        })
        .max_by_key(|&(len, _)| len)
        .map_or_else(|| "disk".into(), |(_, kind)| kind.into())
}
