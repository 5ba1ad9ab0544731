//! What to acquire, resolved and checked.

use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Plan {
    /// Absolute, so that a later change of the working directory does not move it.
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) lock: bool,
    pub(crate) reentrant: bool,
    pub(crate) keep: bool,
}

impl Plan {
    /// The directory that the file is in.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}
