//! Files: open without side effects, lock, identify, change.
//!
//! A signal handler releases pidfiles, so everything that `HeldFile::release` calls in here makes
//! system calls and does nothing else: no allocation, no lock. POSIX lists them as
//! async-signal-safe, except `flock(2)`, `statx(2)` and `nanosleep(2)`, which are bare system calls.

#![allow(unsafe_code)]

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::c_int;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use libc::{fstat as fstat64, lstat as lstat64, stat as stat64};
#[cfg(any(target_os = "linux", target_os = "android"))]
use libc::{fstat64, lstat64, stat64};

use super::path::AbsPath;
use crate::sys::types::{Access, FileId, FileType, Stat};

/// Do not follow a symbolic link, do not pass the descriptor on to other programs, do not wait for
/// the other end of a FIFO, do not acquire a controlling terminal.
const SAFE_OPEN: c_int = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Opens an existing file. Never creates or truncates one.
pub(crate) fn open(path: &AbsPath, access: Access) -> io::Result<File> {
    let access = match access {
        Access::Read => libc::O_RDONLY,
        Access::ReadWrite => libc::O_RDWR,
    };
    open_with(path, access, 0)
}

/// Creates the file. Fails with `AlreadyExists` if anything is there, even a symbolic link.
pub(crate) fn create(path: &AbsPath, mode: u32) -> io::Result<File> {
    open_with(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, mode)
}

fn open_with(path: &AbsPath, flags: c_int, mode: u32) -> io::Result<File> {
    let path = path.as_c_str().as_ptr();
    let flags = flags | SAFE_OPEN;
    // SAFETY: `path` is a C string that outlives the call, which only reads it.
    let fd = retry_on_eintr(|| unsafe { libc::open(path, flags, mode) })?;
    // SAFETY: the call has just returned this descriptor, so nothing else owns it.
    let file = unsafe { File::from_raw_fd(fd) };
    match fd {
        // A program that closed its standard output, as daemons do, would print into the pidfile. The
        // copy gets a descriptor above 2.
        0..=2 => file.try_clone().or(Ok(file)),
        _ => Ok(file),
    }
}

fn retry_on_eintr(call: impl Fn() -> c_int) -> io::Result<c_int> {
    loop {
        match call() {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
            value => return Ok(value),
        }
    }
}

/// Makes the descriptor of `held` refer to what `new` refers to, and closes the descriptor of `new`.
/// Atomic: no other thread can get the descriptor's number in between.
pub(crate) fn put_over(held: &File, new: File) -> io::Result<()> {
    let (old, new) = (held.as_raw_fd(), new.as_raw_fd());
    #[cfg(not(any(target_vendor = "apple", target_os = "android")))]
    // SAFETY: both descriptors are open, and `held` keeps owning its number.
    retry_on_eintr(|| unsafe { libc::dup3(new, old, libc::O_CLOEXEC) })?;
    #[cfg(any(target_vendor = "apple", target_os = "android"))]
    {
        // SAFETY: both descriptors are open, and `held` keeps owning its number.
        retry_on_eintr(|| unsafe { libc::dup2(new, old) })?;
        // SAFETY: takes an open descriptor and a number.
        retry_on_eintr(|| unsafe { libc::fcntl(old, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok(())
}

/// Removes the name.
pub(crate) fn unlink(path: &AbsPath) -> io::Result<()> {
    let path = path.as_c_str().as_ptr();
    // SAFETY: `path` is a C string that outlives the call, which only reads it.
    retry_on_eintr(|| unsafe { libc::unlink(path) }).map(drop)
}

/// Renames a file, and replaces the one that has the new name.
pub(crate) fn rename(from: &AbsPath, to: &AbsPath) -> io::Result<()> {
    fs::rename(&**from, &**to)
}

/// Creates a directory and its missing parents.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Tries to take the exclusive lock; `false` if any other lock is held.
pub(crate) fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    try_lock(|| fs2::FileExt::try_lock_exclusive(file))
}

/// Tries to take a shared lock; `false` if the exclusive lock is held.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<bool> {
    try_lock(|| fs2::FileExt::try_lock_shared(file))
}

/// Releases the lock, for every process that shares the open file.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    fs2::FileExt::unlock(file)
}

fn try_lock(lock: impl Fn() -> io::Result<()>) -> io::Result<bool> {
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            Err(error) => match error.kind() {
                // EACCES is what CIFS returns for a lock that another client holds.
                io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => return Ok(false),
                io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

/// Returns `false` if the exclusive lock is no longer held through this descriptor. Takes it if no
/// process holds it.
pub(crate) fn confirm_lock(file: &File) -> bool {
    use libc::{EBADF, EWOULDBLOCK};
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Any other error says nothing: CIFS denies access to the holder itself.
            Err(error) => return !matches!(error.raw_os_error(), Some(EWOULDBLOCK | EBADF)),
            Ok(()) => return true,
        }
    }
}

/// The file system has no locks, or none without a lock manager (NFS).
pub(crate) fn is_lock_unsupported(error: &io::Error) -> bool {
    use libc::{EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP};
    matches!(
        error.raw_os_error(),
        Some(EOPNOTSUPP | ENOSYS | EINVAL | ENOLCK)
    )
}

/// The file cannot be read while another process has locked it, as on CIFS.
pub(crate) fn is_denied_by_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// An exclusive lock needs write access here, as on NFS (flock(2)).
pub(crate) fn needs_write_access(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADF)
}

/// The file was removed, as network and FUSE file systems report it even for an open file.
pub(crate) fn is_removed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE))
}

/// The file system does not keep modes or owners, as FAT.
pub(crate) fn is_not_kept(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS)
    )
}

/// Opening failed because of what was there, so it may succeed once that is removed. EMLINK is what
/// FreeBSD returns for a symbolic link.
pub(crate) fn may_be_transient(error: &io::Error) -> bool {
    use libc::{EACCES, EISDIR, ELOOP, EMLINK, ENXIO, EPERM, EROFS};
    matches!(
        error.raw_os_error(),
        Some(EACCES | EISDIR | ELOOP | EMLINK | ENXIO | EPERM | EROFS)
    )
}

/// A file can be opened and removed while another program has it open.
pub(crate) fn is_in_use(_: &io::Error) -> bool {
    false
}

/// Reads from `offset`. May return less than there is, but 0 only at the end of the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Overwrites the beginning of the file. Does not truncate it.
pub(crate) fn write_at_start(file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)
}

/// Sets the offset of the open file to a value that no other one is likely to have, and returns it.
///
/// All descriptors of one open file share the offset (open(2)), and pidlock reads and writes at
/// explicit offsets only. So the offset tells this open file from another one that got the same
/// descriptor, even if that is the same pidfile, opened anew: device and inode cannot.
pub(crate) fn offset_tag(file: &File, pid: u32) -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Differs between the processes of one program, and between two copies of this crate in it.
    let salt = (pid << 14) ^ ((&raw const COUNT as usize) >> 2) as u32;
    let count = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_add(salt);
    // Below 2 GiB, which every file system allows, and where few programs are by chance.
    set_offset_tag(file, ((1 << 30) | (count & ((1 << 30) - 1))).into())
}

/// Returns the tag that the open file has then: a file that cannot seek keeps its offset, 0.
pub(crate) fn set_offset_tag(mut file: &File, tag: u64) -> u64 {
    file.seek(SeekFrom::Start(tag)).unwrap_or(0)
}

/// Returns `true` if the descriptor still refers to the open file with this tag.
pub(crate) fn has_offset_tag(file: &File, tag: u64) -> bool {
    offset(file).is_ok_and(|offset| offset == tag)
}

pub(crate) fn offset(mut file: &File) -> io::Result<u64> {
    file.stream_position()
}

/// Sets the permission bits exactly, regardless of the umask.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Sets the owner; `None` leaves it unchanged.
pub(crate) fn set_owner(file: &File, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    fchown(file, uid, gid)
}

/// Forgets a descriptor whose number may belong to another file by now, without closing it.
pub(crate) fn forget(file: File) {
    let _ = file.into_raw_fd();
}

/// Returns `true` if this is a directory in which the effective user can create files.
pub(crate) fn is_writable_dir(directory: &Path) -> bool {
    let Ok(path) = AbsPath::resolve(directory) else {
        return false;
    };
    #[cfg(not(target_os = "android"))]
    let flags = libc::AT_EACCESS;
    #[cfg(target_os = "android")]
    let flags = 0; // bionic rejects AT_EACCESS
    let access = libc::W_OK | libc::X_OK;
    let c_path = path.as_c_str().as_ptr();
    // SAFETY: `path` is a C string that outlives the call, which only reads it.
    let answer = unsafe { libc::faccessat(libc::AT_FDCWD, c_path, access, flags) };
    answer == 0 && fs::metadata(directory).is_ok_and(|metadata| metadata.is_dir())
}

/// The sticky bit, which means nothing on a regular file (inode(7)). It says that the process that
/// wrote the file also locked it.
pub(crate) const LOCK_MARK: u32 = 0o1000;

/// The metadata of an open file.
pub(crate) fn stat(file: &File) -> io::Result<Stat> {
    file.metadata().map(Stat::from)
}

/// The metadata of what is at the path. Does not follow a symbolic link. May allocate.
pub(crate) fn stat_path(path: &AbsPath) -> io::Result<Stat> {
    fs::symlink_metadata(&**path).map(Stat::from)
}

impl From<Metadata> for Stat {
    fn from(metadata: Metadata) -> Self {
        Self {
            id: FileId {
                device: metadata.dev(),
                inode: metadata.ino(),
            },
            file_type: file_type(metadata.file_type()),
            links: metadata.nlink(),
            size: metadata.size(),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            created: metadata.created().ok(),
            modified: metadata.modified().ok(),
        }
    }
}

fn file_type(file_type: fs::FileType) -> FileType {
    match file_type {
        it if it.is_file() => FileType::Regular,
        it if it.is_dir() => FileType::Directory,
        it if it.is_symlink() => FileType::Symlink,
        it if it.is_fifo() => FileType::Fifo,
        it if it.is_socket() => FileType::Socket,
        _ => FileType::Device,
    }
}

/// The identity of what is at the path. Does not allocate, unlike `stat_path`.
pub(crate) fn id_at(path: &AbsPath) -> io::Result<FileId> {
    let path = path.as_c_str().as_ptr();
    // SAFETY: `path` is a C string that outlives the call, which fills the buffer.
    match id_and_links(|buffer| unsafe { lstat64(path, buffer) })? {
        // A name that is being removed can still be found for a moment.
        (_, 0) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        (id, _) => Ok(id),
    }
}

/// The identity of what a descriptor refers to. An error if the descriptor is not open.
pub(super) fn id_of(descriptor: RawFd) -> io::Result<FileId> {
    // SAFETY: takes a number, and fills the buffer.
    id_and_links(|buffer| unsafe { fstat64(descriptor, buffer) }).map(|it| it.0)
}

// The widths of the fields differ between platforms.
#[allow(clippy::unnecessary_cast)]
fn id_and_links(call: impl FnOnce(*mut stat64) -> c_int) -> io::Result<(FileId, u64)> {
    let mut stat = MaybeUninit::uninit();
    if call(stat.as_mut_ptr()) != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    let stat = unsafe { stat.assume_init() };
    let id = FileId {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
    };
    Ok((id, stat.st_nlink as u64))
}
