//! What a file is: `fstat`, `lstat`, `stat`, which a signal handler may call (signal-safety(7)).

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, RawMode, Stat as Raw};

use super::files::OpenFile;
use super::path::FullPath;
use crate::sys::{Identity, Kind};

/// What a look at a file showed.
#[derive(Debug)]
pub(crate) struct Stat {
    id: Identity,
    links: u64,
    size: u64,
    /// With the kind in it.
    mode: RawMode,
    uid: u32,
    gid: u32,
    modified: FileTime,
    changed: FileTime,
}

/// Seconds and nanoseconds since 1970.
type FileTime = (i64, u32);

/// What the open file is. Async-signal-safe.
#[inline]
pub(crate) fn stat(file: &OpenFile) -> io::Result<Stat> {
    Ok(digest(rustix::fs::fstat(file)?))
}

/// What is at the path, a symbolic link itself and not where it leads.
#[inline]
pub(crate) fn stat_path(path: &FullPath) -> io::Result<Stat> {
    Ok(digest(rustix::fs::lstat(path.as_c_str())?))
}

/// Whether the path still names the file that was seen so, and nothing has been done to it since, as
/// far as a look shows.
#[inline]
pub(crate) fn shows(path: &FullPath, seen: &Stat) -> io::Result<bool> {
    Ok(stat_path(path)?.is_as_in(seen))
}

/// What a directory is, wherever the path leads.
pub(crate) fn stat_directory(path: &Path) -> io::Result<Stat> {
    Ok(digest(rustix::fs::stat(path)?))
}

/// Which file is at the path. Async-signal-safe.
#[inline]
pub(crate) fn identify_path(path: &FullPath) -> io::Result<Identity> {
    Ok(stat_path(path)?.id())
}

// The widths of the fields differ between platforms.
#[inline]
#[allow(clippy::unnecessary_cast)]
fn digest(raw: Raw) -> Stat {
    #[cfg(not(target_os = "netbsd"))]
    let (modified_ns, changed_ns) = (raw.st_mtime_nsec, raw.st_ctime_nsec);
    #[cfg(target_os = "netbsd")]
    let (modified_ns, changed_ns) = (raw.st_mtimensec, raw.st_ctimensec);
    Stat {
        id: Identity {
            device: raw.st_dev as u64,
            inode: raw.st_ino as u64,
        },
        links: raw.st_nlink as u64,
        size: raw.st_size as u64,
        mode: raw.st_mode as RawMode,
        uid: raw.st_uid,
        gid: raw.st_gid,
        modified: (raw.st_mtime as i64, modified_ns as u32),
        changed: (raw.st_ctime as i64, changed_ns as u32),
    }
}

impl Stat {
    #[inline]
    pub(crate) fn id(&self) -> Identity {
        self.id
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile => Kind::Regular,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            _ => Kind::Device,
        }
    }

    #[inline]
    pub(crate) fn links(&self) -> u64 {
        self.links
    }

    /// In bytes.
    #[inline]
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Permission bits.
    #[inline]
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn mode(&self) -> u32 {
        self.mode as u32 & 0o7777
    }

    #[inline]
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    #[inline]
    pub(crate) fn gid(&self) -> u32 {
        self.gid
    }

    /// When it was last written; `None` before 1970.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.modified;
        let since = Duration::new(u64::try_from(seconds).ok()?, nanoseconds);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// Whether nothing has been done to the file between this look and the other, as far as they show:
    /// it was not linked, unlinked, written or given other rights.
    #[inline]
    fn is_as_in(&self, other: &Self) -> bool {
        self.id == other.id && self.links == other.links && self.changed == other.changed
    }
}
