//! Absolute paths.

use std::io;
use std::ops::Deref;
use std::path::{self, Path};
use std::sync::Arc;

/// An absolute path.
#[derive(Debug, Clone)]
pub(crate) struct AbsPath(Arc<Path>);

impl AbsPath {
    /// Resolves a path against the working directory.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        Ok(Self(path::absolute(path)?.into()))
    }
}

impl Deref for AbsPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}
