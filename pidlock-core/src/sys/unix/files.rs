//! Files: opening without side effects, locking, identity, permission.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, fchown};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RawMode, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use super::path::FullPath;
use crate::sys::Access;

pub(crate) type OpenFile = OwnedFd;

/// No symbolic link at the end of the path, nothing inherited by programs that we start, no waiting
/// for the other end of a FIFO, no terminal that becomes ours.
const CAREFUL: OFlags = OFlags::CLOEXEC
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Opens what is there; never creates, never truncates.
#[inline]
pub(crate) fn open(path: &FullPath, access: Access) -> io::Result<OpenFile> {
    let access = match access {
        Access::Read => OFlags::RDONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    open_with(path, access, 0)
}

/// Creates the file, and fails with `AlreadyExists` if anything at all is there.
pub(crate) fn open_new(path: &FullPath, mode: u32) -> io::Result<OpenFile> {
    open_with(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode)
}

/// Opens what is there, or creates it in the same call; then its mode has `UNFINISHED` in it. `None`
/// where that bit would be lost, and whenever the longer way may know better.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn open_or_create(path: &FullPath, mode: u32) -> Option<OpenFile> {
    let flags = CAREFUL | OFlags::RDWR | OFlags::CREATE;
    let mode = Mode::from_raw_mode((mode | UNFINISHED) as RawMode);
    let file = rustix::fs::openat(CWD, path.as_c_str(), flags, mode).ok()?;
    Some(above_standard(file))
}

/// The BSDs clear the bit (open(2)).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn open_or_create(_: &FullPath, _: u32) -> Option<OpenFile> {
    None
}

/// The "sticky" bit, which means nothing on a file (inode(7)), and which no pidfile has once it is
/// acquired.
pub(crate) const UNFINISHED: u32 = 0o1000;

#[inline]
fn open_with(path: &FullPath, flags: OFlags, mode: u32) -> io::Result<OpenFile> {
    let flags = flags | CAREFUL;
    let mode = Mode::from_raw_mode(mode as RawMode);
    let file = retry_on_intr(|| rustix::fs::openat(CWD, path.as_c_str(), flags, mode))?;
    Ok(above_standard(file))
}

/// The same open file by a number that nobody prints to: a program that closed its standard output,
/// as daemonizers do, would write into the pidfile. Where there is no such number it stays as it is.
#[inline]
fn above_standard(file: OpenFile) -> OpenFile {
    match file.as_raw_fd() {
        0..=2 => rustix::io::fcntl_dupfd_cloexec(&file, 3).unwrap_or(file),
        _ => file,
    }
}

/// Who owns what we make in this directory; `None` where there is no looking without making a name.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn owner_of_new_files(directory: &Path) -> Option<u32> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, directory, flags, Mode::RUSR).ok()?;
    Some(rustix::fs::fstat(file).ok()?.st_uid)
}

/// There is no such flag here, and nobody who would have to ask.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn owner_of_new_files(_: &Path) -> Option<u32> {
    None
}

/// Waits until those who are in the middle of making or removing a name in the path's directory are
/// done. The kernel lets in one at a time who changes a directory, and this asks for a change that it
/// never makes: to rename something to where it is, unless something is there.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn wait_for_changes_of_directory(path: &FullPath) {
    use rustix::fs::{RenameFlags, renameat_with};

    let path = path.as_c_str();
    let _ = renameat_with(CWD, path, CWD, path, RenameFlags::NOREPLACE);
}

/// There is no such call here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn wait_for_changes_of_directory(_: &FullPath) {}

/// Removes the name. Async-signal-safe.
#[inline]
pub(crate) fn remove(path: &FullPath) -> io::Result<()> {
    Ok(rustix::fs::unlink(path.as_c_str())?)
}

/// Creates a directory and its missing parents.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Takes the lock that excludes all others; `false` if somebody has one.
#[inline]
pub(crate) fn try_lock_exclusive(file: &OpenFile) -> io::Result<bool> {
    granted(file, fs2::FileExt::try_lock_exclusive)
}

/// Takes the lock that excludes only exclusive ones; `false` if somebody has such a one.
#[inline]
pub(crate) fn try_lock_shared(file: &OpenFile) -> io::Result<bool> {
    granted(file, fs2::FileExt::try_lock_shared)
}

/// Gives the lock back, for every process that shares the open file.
#[inline]
pub(crate) fn unlock(file: &OpenFile) -> io::Result<()> {
    fs2::FileExt::unlock(&*as_file(file))
}

#[inline]
fn granted(file: &OpenFile, lock: fn(&File) -> io::Result<()>) -> io::Result<bool> {
    loop {
        match lock(&as_file(file)) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// As fs2 wants it.
#[inline]
fn as_file(file: &OpenFile) -> ManuallyDrop<File> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and is not closed here.
    ManuallyDrop::new(unsafe { File::from_raw_fd(file.as_raw_fd()) })
}

/// Whether the error says that nobody can lock on this file system.
pub(crate) fn is_lockless(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

/// Whether doing without the lock is worth a thought: also an NFS mount without a lock manager.
pub(crate) fn cannot_be_locked(error: &io::Error) -> bool {
    let reasons = [libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL, libc::ENOLCK];
    error
        .raw_os_error()
        .is_some_and(|code| reasons.contains(&code))
}

/// Whether opening failed because of what was there, so that it is worth another try once that is
/// gone.
pub(crate) fn is_about_what_was_there(error: &io::Error) -> bool {
    let reasons = [
        libc::ELOOP,
        libc::EMLINK, // what FreeBSD says for a symbolic link
        libc::ENXIO,
        libc::EISDIR,
        libc::EACCES,
        libc::EPERM,
        libc::EROFS,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| reasons.contains(&code))
}

/// Whether the file system cannot have a file with such a long name.
pub(crate) fn is_name_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENAMETOOLONG)
}

/// Reads from `offset` on, up to the buffer's length: perhaps less than there is, but nothing only at
/// the end.
#[inline]
pub(crate) fn read_some_at(file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(retry_on_intr(|| {
        rustix::io::pread(file, &mut *buffer, offset)
    })?)
}

/// Reads as much as there is from `offset` on, up to the buffer's length.
pub(crate) fn read_at(file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some_at(file, &mut buffer[done..], offset + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Writes at the beginning of the file; what stands behind stays.
#[inline]
pub(crate) fn write_all(file: &OpenFile, text: &[u8]) -> io::Result<()> {
    match rustix::io::pwrite(file, text, 0) {
        Ok(written) if written == text.len() => Ok(()),
        other => write_rest(file, text, other),
    }
}

/// After a write that was interrupted, did not get all on its way, or failed.
#[cold]
fn write_rest(
    file: &OpenFile,
    text: &[u8],
    mut outcome: rustix::io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    loop {
        match outcome {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if done == text.len() {
            return Ok(());
        }
        outcome = rustix::io::pwrite(file, &text[done..], done as u64);
    }
}

/// Shortens the file. Async-signal-safe.
#[inline]
pub(crate) fn truncate(file: &OpenFile, len: u64) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::ftruncate(file, len))?)
}

/// Marks an open file so that it can be told from every other, even from one that was opened at
/// the same path later and got the same descriptor: by its offset, which all descriptors of one
/// open file share, in children too (open(2)), and which nothing here uses for reading or writing.
#[inline]
pub(crate) fn mark(file: &OpenFile) -> io::Result<u32> {
    let count = MARKS.fetch_add(1, Ordering::Relaxed);
    // Below 2 GiB, which every file system allows, and where hardly any program is by chance.
    let mark = 1 << 30 | count & ((1 << 30) - 1);
    rustix::fs::seek(file, SeekFrom::Start(mark.into()))?;
    Ok(mark)
}

static MARKS: AtomicU32 = AtomicU32::new(0);

/// Has a process that begins use other marks than its parent, which it counts on from, and than
/// another copy of this crate in one program.
pub(super) fn vary_marks(pid: u32) {
    let place = ptr::from_ref(&MARKS).addr() >> 2;
    MARKS.fetch_add(pid << 14 ^ place as u32, Ordering::Relaxed);
}

/// Whether the descriptor still is one of the file that was marked so. Async-signal-safe.
#[inline]
pub(crate) fn bears(file: &OpenFile, mark: u32) -> bool {
    rustix::fs::tell(file) == Ok(mark.into())
}

/// Sets the permission bits exactly, whatever the umask.
#[inline]
pub(crate) fn set_mode(file: &OpenFile, mode: u32) -> io::Result<()> {
    let mode = Mode::from_raw_mode(mode as RawMode);
    Ok(retry_on_intr(|| rustix::fs::fchmod(file, mode))?)
}

/// Gives the file away; `None` keeps what is.
pub(crate) fn set_owner(file: &OpenFile, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    fchown(file, uid, gid)
}

/// Lets go of a descriptor whose number no longer means our file, without closing whatever bears
/// that number now.
pub(crate) fn abandon(file: OpenFile) {
    let _ = file.into_raw_fd();
}

/// Whether the effective user may make and remove files in this directory.
pub(crate) fn can_create_in(directory: &Path) -> bool {
    let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else {
        return false;
    };
    // bionic has no AT_EACCESS, and refuses the flag.
    let flags = if cfg!(target_os = "android") {
        0
    } else {
        libc::AT_EACCESS
    };
    // SAFETY: `path` is a NUL-terminated string that lives until after the call; faccessat only
    // reads it.
    let answer = unsafe {
        libc::faccessat(
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::W_OK | libc::X_OK,
            flags,
        )
    };
    answer == 0 && directory.is_dir()
}
