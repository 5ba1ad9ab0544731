//! Absolute paths in the form that the system takes them, so that no call has to copy one first.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, c_char};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};
use std::sync::Arc;

/// An absolute path. Bytes without a NUL but the one at the end.
#[derive(Clone)]
pub(crate) struct FullPath {
    /// Where it is too long for the other, which is empty then.
    long: Option<Arc<[u8]>>,
    /// Nearly all are short: no memory has to be asked for, which costs more than copying these.
    short: [u8; SHORT],
    directory_mark: u32,
}

/// The longest of the short, with its NUL, in bytes.
const SHORT: usize = 64;

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
    #[inline]
    pub(crate) fn absolute(path: &Path) -> Option<Self> {
        let path = path.as_os_str().as_bytes();
        if path.first() != Some(&b'/') || contains_nul(path) {
            return None;
        }
        let mut short = [0; SHORT];
        // One less, for the NUL.
        let long = match short[1..].get(..path.len()) {
            Some(_) => {
                short[..path.len()].copy_from_slice(path);
                None
            }
            None => Some([path, &[0]].concat().into()),
        };
        let name = path.len() - after_last_slash(path);
        Some(Self {
            short,
            long,
            directory_mark: mark(&path[..path.len() - name]),
        })
    }

    /// A number for the directory. Two may have the same.
    pub(crate) fn directory_mark(&self) -> u32 {
        self.directory_mark
    }

    /// With a NUL at the end, for the system.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const c_char {
        let bytes = match &self.long {
            None => self.short.as_ptr(),
            Some(bytes) => bytes.as_ptr(),
        };
        bytes.cast()
    }

    fn as_c_str(&self) -> &CStr {
        // SAFETY: `absolute`, which makes all of them, puts one NUL at the end and lets none in before
        // it; the bytes are never changed.
        unsafe { CStr::from_ptr(self.as_ptr()) }
    }
}

fn contains_nul(text: &[u8]) -> bool {
    // SAFETY: memchr reads as many bytes as the slice has.
    let found = unsafe { libc::memchr(text.as_ptr().cast(), 0, text.len()) };
    !found.is_null()
}

/// Where the last component of an absolute path begins.
fn after_last_slash(path: &[u8]) -> usize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: memrchr reads as many bytes as the slice has.
        let slash = unsafe { libc::memrchr(path.as_ptr().cast(), b'/'.into(), path.len()) };
        slash.addr() + 1 - path.as_ptr().addr()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        path.iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |slash| slash + 1)
    }
}

/// As FNV-1a does it with bytes, by eight: this is done for each start.
fn mark(directory: &[u8]) -> u32 {
    let mix = |mark: u64, part: u64| (mark ^ part).wrapping_mul(0x0100_0000_01b3);
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    // What the last eight bytes share with those before does no harm.
    let last = directory.last_chunk().map_or_else(
        || {
            directory
                .iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        },
        word,
    );
    let mut mark = mix(directory.len() as u64, last);
    let mut rest = directory;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        mark = mix(mark, word(eight));
        rest = behind;
    }
    (mark >> 32) as u32 ^ mark as u32
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
