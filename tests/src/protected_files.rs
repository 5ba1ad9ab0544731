//! Files that attack tests try to damage.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::stale_record;

/// The names of the protected files that another user can create hard links to.
pub const VICTIMS: [&str; 2] = ["stale", "blank"];

/// A directory that only its owner can write to. A careless program would take two of its files for
/// available pidfiles: one is stale, the other one is blank. Other users can write to these two
/// files, so the kernel lets other users create hard links to them.
#[derive(Debug)]
pub struct ProtectedFiles {
    dir: tempfile::TempDir,
    before: BTreeMap<PathBuf, Picture>,
}

type Picture = (Vec<u8>, u64, u32, u32, u32, i64, i64);

impl ProtectedFiles {
    /// Creates the files and records their state.
    ///
    /// # Panics
    ///
    /// If a file cannot be created.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it creates files")]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("create a temporary directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("stale"), stale_record()).expect("create a file");
        fs::write(at("blank"), "").expect("create a file");
        fs::create_dir(at("directory")).expect("create a directory");
        fs::write(at("directory/document"), "precious").expect("create a file");
        for name in VICTIMS {
            fs::set_permissions(at(name), Permissions::from_mode(0o646)).expect("set the mode");
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set the mode");
        let before = pictures(dir.path());
        Self { dir, before }
    }

    /// The directory of the files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns how many files were created, changed or removed since [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If the directory cannot be read.
    #[must_use]
    pub fn harmed(&self) -> u64 {
        let now = pictures(self.dir.path());
        let names = self.before.keys().chain(now.keys());
        let mut harmed: Vec<_> = names
            .filter(|name| self.before.get(*name) != now.get(*name))
            .collect();
        harmed.sort();
        harmed.dedup();
        if !harmed.is_empty() {
            println!("harmed: {harmed:?}, was {:?}, is {now:?}", self.before);
        }
        harmed.len() as u64
    }
}

/// Returns the contents, inode, mode, uid, gid and modification time of each file and directory
/// below `dir`.
fn pictures(dir: &Path) -> BTreeMap<PathBuf, Picture> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("read the directory") {
        let path = entry.expect("read a directory entry").path();
        let m = fs::symlink_metadata(&path).expect("read the metadata");
        if m.is_dir() {
            all.extend(pictures(&path));
        }
        let contents = fs::read(&path).unwrap_or_default();
        let (time, nanos) = (m.mtime(), m.mtime_nsec());
        let picture = (contents, m.ino(), m.mode(), m.uid(), m.gid(), time, nanos);
        all.insert(path, picture);
    }
    all
}
