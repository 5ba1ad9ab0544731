//! Files that an attack aims at.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::stale_record;

/// Those that can be linked to.
pub const VICTIMS: [&str; 2] = ["stale", "blank"];

/// A directory that only its owner may write to, with files that a careless program would take for
/// a pidfile that is free: stale, or blank. Others may link to them, for they may write to them.
#[derive(Debug)]
pub struct ProtectedFiles {
    dir: tempfile::TempDir,
    before: BTreeMap<PathBuf, Picture>,
}

type Picture = (Vec<u8>, u64, u32, u32, u32, i64, i64);

impl ProtectedFiles {
    /// As they are before the attack.
    ///
    /// # Panics
    ///
    /// If they cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes files")]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("stale"), stale_record()).expect("a file");
        fs::write(at("blank"), "").expect("a file");
        fs::create_dir(at("directory")).expect("a directory");
        fs::write(at("directory/document"), "precious").expect("a file");
        for name in VICTIMS {
            fs::set_permissions(at(name), Permissions::from_mode(0o646)).expect("a mode");
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a mode");
        let before = pictures(dir.path());
        Self { dir, before }
    }

    /// Their directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// How many files were created, changed or removed.
    ///
    /// # Panics
    ///
    /// If that cannot be seen.
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

/// All that is in a directory and below: contents, inode, mode, owner, group and time of the last
/// change.
fn pictures(dir: &Path) -> BTreeMap<PathBuf, Picture> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let m = fs::symlink_metadata(&path).expect("it is there");
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
