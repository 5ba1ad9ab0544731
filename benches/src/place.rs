//! Directories for the pidfiles: in memory, and on a disk.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary directory.
#[derive(Debug)]
pub struct Place {
    /// The type of the file system, as shown in tables.
    pub name: String,
    dir: TempDir,
}

impl Place {
    /// Creates a directory on tmpfs, the file system of `/run`.
    #[must_use]
    pub fn memory() -> Self {
        Self::new("tmpfs", Path::new("/dev/shm"))
    }

    /// Creates a directory on the file system of the build, which is usually on a disk.
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

    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Returns the directory of the programs that were built with this one.
///
/// # Panics
///
/// If the path of this program is unknown.
#[must_use]
pub fn built() -> PathBuf {
    let program = std::env::current_exe().expect("get the path of this program");
    let folder = program.parent().expect("the program is in a directory");
    match folder.ends_with("deps") {
        true => folder.parent().expect("deps is in a directory").into(),
        false => folder.into(),
    }
}

/// Returns Cargo's target directory.
#[must_use]
pub fn target() -> PathBuf {
    built()
        .parent()
        .expect("the profile is in the target directory")
        .into()
}

/// Returns the type of the path's file system, from `/proc/self/mountinfo`.
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
