//! What a file is: `fstat`, `lstat`, `stat`, which a signal handler may call (signal-safety(7)).

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::{Duration, SystemTime};

// On 32-bit systems the plain calls fail where an inode or a size takes more than 32 bits.
#[cfg(not(any(
    all(target_os = "linux", not(target_env = "musl")),
    target_os = "android"
)))]
use libc::{fstat, lstat, stat as RawStat, stat as follow};
#[cfg(any(
    all(target_os = "linux", not(target_env = "musl")),
    target_os = "android"
))]
use libc::{fstat64 as fstat, lstat64 as lstat, stat64 as RawStat, stat64 as follow};

use super::path::FullPath;
use crate::sys::{Identity, Kind, Stat};

/// What the open file is.
#[inline]
pub(crate) fn stat(file: &File) -> io::Result<Stat> {
    // SAFETY: the descriptor is open, and fstat writes to the buffer only.
    ask(|buffer| unsafe { fstat(file.as_raw_fd(), buffer) }).map(|raw| digest(&raw))
}

/// What is at the path, a symbolic link itself and not where it leads.
pub(crate) fn stat_path(path: &FullPath) -> io::Result<Stat> {
    lstat_raw(path).map(|raw| digest(&raw))
}

/// Whether the path still names the file that was seen so, and nothing has been done to it since, as
/// far as a look shows.
#[inline]
pub(crate) fn shows(path: &FullPath, seen: &Stat) -> io::Result<bool> {
    let there = digest(&lstat_raw(path)?);
    Ok(there.id == seen.id && there.links == seen.links && there.changed == seen.changed)
}

/// What a directory is, wherever the path leads.
pub(crate) fn stat_directory(path: &Path) -> io::Result<Stat> {
    let path = FullPath::resolve(path)?;
    // SAFETY: the path ends with a NUL and outlives the call; stat writes to the buffer only.
    ask(|buffer| unsafe { follow(path.as_ptr(), buffer) }).map(|raw| digest(&raw))
}

/// Which file is at the path. Async-signal-safe.
#[inline]
pub(crate) fn identify_path(path: &FullPath) -> io::Result<Identity> {
    lstat_raw(path).map(|raw| identity(&raw))
}

/// Which file bears this number, if any does. Async-signal-safe.
pub(crate) fn identify_descriptor(fd: RawFd) -> io::Result<Identity> {
    // SAFETY: fstat takes any number for a descriptor, and writes to the buffer only.
    ask(|buffer| unsafe { fstat(fd, buffer) }).map(|raw| identity(&raw))
}

#[inline]
fn lstat_raw(path: &FullPath) -> io::Result<RawStat> {
    // SAFETY: the path ends with a NUL and outlives the call; lstat writes to the buffer only.
    ask(|buffer| unsafe { lstat(path.as_ptr(), buffer) })
}

#[inline]
fn ask(call: impl FnOnce(*mut RawStat) -> libc::c_int) -> io::Result<RawStat> {
    let mut buffer = MaybeUninit::uninit();
    if call(buffer.as_mut_ptr()) != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    Ok(unsafe { buffer.assume_init() })
}

// The widths of the fields differ between platforms.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn identity(raw: &RawStat) -> Identity {
    Identity {
        device: raw.st_dev as u64,
        inode: raw.st_ino as u64,
    }
}

#[inline]
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn digest(raw: &RawStat) -> Stat {
    let kind = match raw.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::Regular,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFLNK => Kind::Symlink,
        libc::S_IFIFO => Kind::Fifo,
        libc::S_IFSOCK => Kind::Socket,
        _ => Kind::Device,
    };
    #[cfg(not(target_os = "netbsd"))]
    let (modified_ns, changed_ns) = (raw.st_mtime_nsec, raw.st_ctime_nsec);
    #[cfg(target_os = "netbsd")]
    let (modified_ns, changed_ns) = (raw.st_mtimensec, raw.st_ctimensec);
    Stat {
        id: identity(raw),
        kind,
        links: raw.st_nlink as u64,
        size: raw.st_size as u64,
        mode: raw.st_mode as u32 & 0o7777,
        uid: raw.st_uid,
        gid: raw.st_gid,
        modified: FileTime {
            seconds: raw.st_mtime as i64,
            nanoseconds: modified_ns as u32,
        },
        changed: FileTime {
            seconds: raw.st_ctime as i64,
            nanoseconds: changed_ns as u32,
        },
    }
}

/// A time as the file system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileTime {
    seconds: i64,
    nanoseconds: u32,
}

impl FileTime {
    /// `None` before 1970.
    pub(crate) fn to_system_time(self) -> Option<SystemTime> {
        let since = Duration::new(u64::try_from(self.seconds).ok()?, self.nanoseconds);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}
