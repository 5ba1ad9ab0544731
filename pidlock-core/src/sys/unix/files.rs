//! Files: opening without side effects, locking, identity, permission.

#![allow(unsafe_code)]

use std::ffi::{CString, c_int, c_uint};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, fchown};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

// On 32-bit systems the plain call refuses files of 2 GiB.
#[cfg(not(any(
    all(target_os = "linux", not(target_env = "musl")),
    target_os = "android"
)))]
use libc::{lseek as raw_seek, open as raw_open};
#[cfg(any(
    all(target_os = "linux", not(target_env = "musl")),
    target_os = "android"
))]
use libc::{lseek64 as raw_seek, open64 as raw_open};

use super::path::FullPath;
use crate::sys::Access;

/// No symbolic link at the end of the path, nothing inherited by programs that we start, no waiting
/// for the other end of a FIFO, no terminal that becomes ours.
const CAREFUL: c_int = libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Opens what is there; never creates, never truncates.
pub(crate) fn open(path: &FullPath, access: Access) -> io::Result<File> {
    let access = match access {
        Access::Read => libc::O_RDONLY,
        Access::ReadWrite => libc::O_RDWR,
    };
    open_with(path, access, 0)
}

/// Creates the file, and fails with `AlreadyExists` if anything at all is there.
pub(crate) fn open_new(path: &FullPath, mode: u32) -> io::Result<File> {
    open_with(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, mode)
}

/// Opens what is there, or creates it in the same call; then its mode has `UNFINISHED` in it. An
/// error where that bit would be lost, and whenever the longer way may know better.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn open_or_create(path: &FullPath, mode: u32) -> io::Result<File> {
    open_with(path, libc::O_RDWR | libc::O_CREAT, mode | UNFINISHED)
}

/// The BSDs clear the bit (open(2)).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn open_or_create(_: &FullPath, _: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The "sticky" bit, which means nothing on a file (inode(7)), and which no pidfile has once it is
/// acquired.
pub(crate) const UNFINISHED: u32 = 0o1000;

fn open_with(path: &FullPath, flags: c_int, mode: u32) -> io::Result<File> {
    loop {
        // SAFETY: the path ends with a NUL and outlives the call, which reads it only. The mode is of
        // the type that C's promotion of arguments makes of any mode_t.
        let fd = unsafe { raw_open(path.as_ptr(), flags | CAREFUL, mode as c_uint) };
        if fd >= 0 {
            // SAFETY: just opened, and nobody else knows of it.
            let file = unsafe { File::from_raw_fd(fd) };
            return Ok(match fd {
                0..=2 => above_standard(file),
                _ => file,
            });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The same open file by a number that nobody prints to: a program that closed its standard output,
/// as daemonizers do, would write into the pidfile. Where there is no such number it stays as it is.
#[cold]
fn above_standard(file: File) -> File {
    // SAFETY: the descriptor is open, and the call makes another one.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
    if fd < 0 {
        return file;
    }
    // SAFETY: just made, and nobody else knows of it.
    unsafe { File::from_raw_fd(fd) }
}

/// Waits until those who are in the middle of making or removing a name in the path's directory are
/// done. The kernel lets in one at a time who changes a directory, and this asks for a change that it
/// never makes: to rename something to where it is, unless something is there.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn wait_for_changes_of_directory(path: &FullPath) {
    let path = path.as_ptr();
    // SAFETY: the path ends with a NUL and outlives the call, which reads it only; all else are numbers.
    unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            path,
            libc::AT_FDCWD,
            path,
            libc::RENAME_NOREPLACE,
        )
    };
}

/// There is no such call here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn wait_for_changes_of_directory(_: &FullPath) {}

/// Removes the name. Async-signal-safe.
#[inline]
pub(crate) fn remove(path: &FullPath) -> io::Result<()> {
    // SAFETY: the path ends with a NUL and outlives the call, which reads it only.
    let answer = unsafe { libc::unlink(path.as_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Creates a directory and its missing parents.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Takes the lock that excludes all others; `false` if somebody has one.
pub(crate) fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    granted(|| fs2::FileExt::try_lock_exclusive(file))
}

/// Takes the lock that excludes only exclusive ones; `false` if somebody has such a one.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<bool> {
    granted(|| fs2::FileExt::try_lock_shared(file))
}

/// Gives the lock back, for every process that shares the open file.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    fs2::FileExt::unlock(file)
}

fn granted(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<bool> {
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
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
pub(crate) fn read_some_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads as much as there is from `offset` on, up to the buffer's length.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
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
pub(crate) fn write_all(file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)
}

/// Marks an open file so that it can be told from every other, even from one that was opened at
/// the same path later and got the same descriptor: by its offset, which all descriptors of one
/// open file share, in children too (open(2)), and which nothing here uses for reading or writing.
#[inline]
pub(crate) fn mark(file: &File, pid: u32) -> io::Result<u32> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Below 2 GiB, which every file system allows, and where hardly any program is by chance. The
    // PID keeps a child, who counts on from where its parent was, from using the same; the address
    // does so for another copy of this crate in one program.
    let seed = (pid << 14) ^ (ptr::from_ref(&COUNT).addr() >> 2) as u32;
    let count = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_add(seed);
    let mark = 1 << 30 | count & ((1 << 30) - 1);
    match seek(file, mark.into(), libc::SEEK_SET) {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(mark),
    }
}

/// Whether the descriptor still is one of the file that was marked so.
#[inline]
pub(crate) fn bears(file: &File, mark: u32) -> bool {
    seek(file, 0, libc::SEEK_CUR) == i64::from(mark)
}

#[inline]
fn seek(file: &File, offset: i64, whence: c_int) -> i64 {
    // SAFETY: the descriptor is open, and the call takes nothing else but numbers.
    unsafe { raw_seek(file.as_raw_fd(), offset, whence) }
}

/// Sets the permission bits exactly, whatever the umask.
#[inline]
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open, and the call takes nothing else but numbers.
        let answer = unsafe { libc::fchmod(file.as_raw_fd(), mode as libc::mode_t) };
        if answer == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Gives the file away; `None` keeps what is.
pub(crate) fn set_owner(file: &File, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    fchown(file, uid, gid)
}

/// Lets go of a descriptor whose number no longer means our file, without closing whatever bears
/// that number now.
pub(crate) fn abandon(file: File) {
    let _ = file.into_raw_fd();
}

/// The user that permission checks are made for.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid takes nothing, changes nothing and cannot fail (POSIX.1-2017).
    unsafe { libc::geteuid() }
}

/// That user, for a person.
pub(crate) fn current_user() -> String {
    format!("uid {}", effective_uid())
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

/// Whether the program runs with more rights than the user who started it (set-user-ID and the
/// like), so that its environment is that user's and not to be followed.
pub(crate) fn has_raised_privileges() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: getauxval only looks up a value that the kernel left in this process's memory;
        // 0, for "not there", is an answer like any other (getauxval(3)).
        let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        secure != 0
    }
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    {
        // SAFETY: issetugid takes nothing, changes nothing and cannot fail (issetugid(2)).
        let secure = unsafe { libc::issetugid() };
        secure != 0
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    )))]
    {
        // SAFETY: neither call takes or changes anything, neither can fail (POSIX.1-2017).
        let (real, effective) = unsafe { (libc::getuid(), libc::geteuid()) };
        real != effective
    }
}
