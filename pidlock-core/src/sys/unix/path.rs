//! Absolute paths in the form that the system takes them, so that no call has to copy one first.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};
use std::sync::Arc;

/// An absolute path, shared by all who need it. Bytes without a NUL but the one at the end.
#[derive(Clone)]
pub(crate) struct FullPath(Arc<[u8]>);

impl FullPath {
    /// Resolves a relative path against the working directory; an absolute one is what it is.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        let resolved = match path.is_absolute() {
            true => Self::absolute(path),
            false => Self::absolute(&path::absolute(path)?),
        };
        resolved.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "it contains a NUL character")
        })
    }

    /// `None` if the path is relative, or contains a NUL.
    pub(crate) fn absolute(path: &Path) -> Option<Self> {
        let path = path.as_os_str().as_bytes();
        if !path.starts_with(b"/") || contains_nul(path) {
            return None;
        }
        let mut short = [0; 256];
        Some(Self(match short.get_mut(..=path.len()) {
            Some(with_nul) => {
                with_nul[..path.len()].copy_from_slice(path);
                Arc::from(&*with_nul)
            }
            None => [path, &[0]].concat().into(),
        }))
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        // SAFETY: `absolute`, which makes all of them, puts one NUL at the end and lets none in before
        // it; the bytes are never changed.
        unsafe { CStr::from_bytes_with_nul_unchecked(&self.0) }
    }
}

fn contains_nul(text: &[u8]) -> bool {
    // SAFETY: memchr reads as many bytes as the slice has.
    let found = unsafe { libc::memchr(text.as_ptr().cast(), 0, text.len()) };
    !found.is_null()
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
    fn an_absolute_path_is_what_it_is() {
        let long = format!("/{}", "long/".repeat(100));
        for path in ["/a", "/", "/a/../b", "//a/./b/", "/run/my_app/a.pid", &long] {
            let full = FullPath::resolve(Path::new(path)).expect("it is absolute");
            assert_eq!(full.as_os_str(), path);
            assert_eq!(full.as_c_str().to_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn another_is_resolved() {
        let here = std::env::current_dir().expect("there is one");
        for path in ["a", "./a", "b/../a"].map(Path::new) {
            assert!(FullPath::absolute(path).is_none());
            let full = FullPath::resolve(path).expect("it can be resolved");
            assert_eq!(*full, here.join(path.strip_prefix(".").unwrap_or(path)));
        }
        assert!(FullPath::resolve(Path::new("")).is_err());
    }

    #[test]
    fn no_path_has_a_nul() {
        for path in ["/a\0b", "/\0", "a\0", "\0"].map(Path::new) {
            assert!(FullPath::resolve(path).is_err(), "{path:?}");
        }
    }
}
