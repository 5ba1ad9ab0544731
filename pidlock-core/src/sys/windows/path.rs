//! Absolute paths.

use std::io;
use std::ops::Deref;
use std::path::{self, Path, PathBuf};

/// An absolute path.
#[derive(Debug, Clone)]
pub(crate) struct AbsPath(PathBuf);

impl AbsPath {
    /// Resolves a path against the working directory.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        path::absolute(path).map(Self)
    }
}

impl Deref for AbsPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}
