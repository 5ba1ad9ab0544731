//! Absolute paths in the form that the system takes them, so that no call has to copy one first.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::io;
use std::iter;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};
use std::sync::Arc;

/// An absolute path, shared by all who need it. Bytes without a NUL but the one at the end.
#[derive(Clone)]
pub(crate) struct FullPath(Arc<[u8]>);

impl FullPath {
    /// Resolves a path against the working directory, and leaves out what means nothing in it.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        if let Some(resolved) = Self::resolved(path) {
            return Ok(resolved);
        }
        let path = path::absolute(path)?;
        Self::with_nul(path.as_os_str().as_bytes()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "it contains a NUL character")
        })
    }

    /// `None` if resolving would give another path, or none.
    pub(crate) fn resolved(path: &Path) -> Option<Self> {
        let bytes = path.as_os_str().as_bytes();
        let mut rest = bytes.strip_prefix(b"/")?;
        while let Some(slash) = rest.iter().position(|&byte| byte == b'/') {
            if matches!(rest[..slash], [] | [b'.']) {
                return None;
            }
            rest = &rest[slash + 1..];
        }
        match rest {
            [] | [b'.'] => None,
            _ => Self::with_nul(bytes),
        }
    }

    fn with_nul(bytes: &[u8]) -> Option<Self> {
        let whole = !bytes.contains(&0);
        whole.then(|| Self(bytes.iter().copied().chain(iter::once(0)).collect()))
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        // SAFETY: `with_nul`, which makes all of them, puts one NUL at the end and lets none in
        // before it; the bytes are never changed.
        unsafe { CStr::from_bytes_with_nul_unchecked(&self.0) }
    }
}

impl Deref for FullPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0[..self.0.len() - 1]))
    }
}

impl fmt::Debug for FullPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_resolved_is_what_std_makes_of_it() {
        let clean = [
            "/a",
            "/run/my_app/a.pid",
            "/a/../b",
            "/..",
            "/.../a",
            "/a/.b",
        ];
        for path in clean.map(Path::new) {
            let resolved = FullPath::resolved(path).expect("nothing is to be done");
            assert_eq!(resolved.as_os_str(), path);
            assert_eq!(path::absolute(path).expect("it is absolute"), *resolved);
        }
    }

    #[test]
    fn everything_else_is_left_to_std() {
        let others = [
            "", "a", "./a", "//a", "/a//b", "/a/./b", "/./a", "/a/", "/a/.", "/",
        ];
        for path in others.map(Path::new) {
            assert!(FullPath::resolved(path).is_none(), "{path:?}");
            let resolved = FullPath::resolve(path).ok().map(|path| path.to_path_buf());
            assert_eq!(resolved, path::absolute(path).ok(), "{path:?}");
        }
    }

    #[test]
    fn there_is_one_nul_and_it_is_at_the_end() {
        assert!(FullPath::resolve(Path::new("/a\0b")).is_err());
        let path = FullPath::resolve(Path::new("/a")).expect("it is absolute");
        assert_eq!(path.as_c_str(), c"/a");
    }
}
