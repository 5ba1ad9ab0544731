//! Absolute paths in the form that the system takes them, so that no call has to copy one first.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroU16;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};
use std::ptr;
use std::slice;
use std::sync::Arc;

/// An absolute path. Bytes without a NUL but the one at the end.
#[derive(Clone)]
pub(crate) struct FullPath {
    /// Where it is too long for the other.
    long: Option<Arc<[u8]>>,
    /// Nearly all are short: no memory has to be asked for, which costs more than copying these. What
    /// is behind the NUL nobody ever wrote.
    short: [MaybeUninit<u8>; SHORT],
    /// How long the short one is, with its NUL.
    short_len: NonZeroU16,
}

/// The longest of the short, with its NUL, in bytes.
const SHORT: usize = 64;

impl FullPath {
    /// Resolves a relative path against the working directory; an absolute one is what it is.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        let resolved = match path.is_absolute() {
            true => Absolute::new(path).map(Self::from),
            false => Absolute::new(&path::absolute(path)?).map(Self::from),
        };
        resolved.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "it contains a NUL character")
        })
    }

    #[cold]
    fn long(path: &[u8]) -> Self {
        Self {
            long: Some([path, &[0]].concat().into()),
            short: [MaybeUninit::uninit(); SHORT],
            short_len: NonZeroU16::MIN,
        }
    }

    /// Whether it has memory that has to be given back.
    #[inline]
    pub(crate) fn owns_memory(&self) -> bool {
        self.long.is_some()
    }

    /// For the system.
    #[inline]
    pub(crate) fn as_c_str(&self) -> &CStr {
        let bytes = match &self.long {
            // SAFETY: so many were written.
            None => unsafe {
                slice::from_raw_parts(self.short.as_ptr().cast(), self.short_len.get().into())
            },
            Some(bytes) => bytes,
        };
        // SAFETY: all are made from an `Absolute`, which has no NUL, and get one at the end; the bytes
        // are never changed.
        unsafe { CStr::from_bytes_with_nul_unchecked(bytes) }
    }
}

/// A path that is absolute, and has no NUL in it.
pub(crate) struct Absolute<'a>(&'a [u8]);

impl<'a> Absolute<'a> {
    #[inline]
    pub(crate) fn new(path: &'a Path) -> Option<Self> {
        let path = path.as_os_str().as_bytes();
        (path.first() == Some(&b'/') && !contains_nul(path)).then_some(Self(path))
    }
}

impl From<Absolute<'_>> for FullPath {
    #[inline]
    fn from(Absolute(path): Absolute<'_>) -> Self {
        let short_len = match u16::try_from(path.len() + 1).ok().and_then(NonZeroU16::new) {
            Some(len) if usize::from(len.get()) <= SHORT => len,
            _ => return Self::long(path),
        };
        let mut full = Self {
            long: None,
            short: [MaybeUninit::uninit(); SHORT],
            short_len,
        };
        let room = full.short.as_mut_ptr();
        // SAFETY: at most one less than there is room for, and not the room itself.
        unsafe { ptr::copy_nonoverlapping(path.as_ptr(), room.cast(), path.len()) };
        full.short[path.len()] = MaybeUninit::new(0);
        full
    }
}

#[inline]
fn contains_nul(text: &[u8]) -> bool {
    // SAFETY: memchr reads as many bytes as the slice has.
    let found = unsafe { libc::memchr(text.as_ptr().cast(), 0, text.len()) };
    !found.is_null()
}

impl Deref for FullPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.as_c_str().to_bytes()))
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
        let of_every_length = (0..300).map(|len| format!("/{}", "l".repeat(len)));
        let others = ["/a/../b", "//a/./b/", "/run/my_app/a.pid"].map(String::from);
        for path in of_every_length.chain(others) {
            let full = FullPath::resolve(Path::new(&path)).expect("it is absolute");
            assert_eq!(full.as_os_str(), &*path);
            assert_eq!(full.clone().as_c_str().to_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn another_is_resolved() {
        let here = std::env::current_dir().expect("there is one");
        for path in ["a", "./a", "b/../a"].map(Path::new) {
            assert!(Absolute::new(path).is_none());
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
