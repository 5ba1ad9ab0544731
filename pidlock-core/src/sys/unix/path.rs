//! Absolute paths in the form that system calls take.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};

/// An absolute path, ready for system calls: a signal handler must not allocate to pass it on.
#[derive(Debug, Clone)]
pub(crate) struct AbsPath(CString);

impl AbsPath {
    /// Resolves a relative path against the working directory. An absolute one stays as it is.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        let path = match path.is_absolute() {
            true => Cow::Borrowed(path),
            false => path::absolute(path)?.into(),
        };
        Ok(Self(CString::new(path.as_os_str().as_bytes())?))
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

impl Deref for AbsPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.0.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_stay_as_they_are() {
        for path in ["/a/../b", "//a/./b/", "/run/my_app/a.pid"] {
            let resolved = AbsPath::resolve(Path::new(path)).expect("resolve an absolute path");
            assert_eq!(resolved.as_os_str(), path);
        }
    }

    #[test]
    fn relative_paths_are_resolved() {
        let here = std::env::current_dir().expect("read the working directory");
        for path in ["a", "./a", "b/../a"].map(Path::new) {
            let resolved = AbsPath::resolve(path).expect("resolve a relative path");
            assert_eq!(*resolved, here.join(path.strip_prefix(".").unwrap_or(path)));
        }
        assert!(AbsPath::resolve(Path::new("")).is_err());
    }

    #[test]
    fn nul_is_rejected() {
        for path in ["/a\0b", "/\0", "a\0", "\0"].map(Path::new) {
            assert!(AbsPath::resolve(path).is_err(), "{path:?}");
        }
    }
}
