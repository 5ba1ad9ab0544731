//! Windows: `LockFileEx`, `GetFileInformationByHandle`, `OpenProcess`.
//!
//! Permission bits, owners and `fork` are not of this platform: the first two are stored nowhere
//! and read as 0, and a process has no children that share its memory.

#![allow(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::{self, Path};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_FUNCTION,
    ERROR_INVALID_PARAMETER, ERROR_LOCK_VIOLATION, ERROR_NOT_LOCKED, ERROR_NOT_SUPPORTED, FILETIME,
    WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_ATTRIBUTE_TAG_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_TYPE_DISK, FILE_TYPE_PIPE,
    FileAttributeTagInfo, GetFileInformationByHandle, GetFileInformationByHandleEx, GetFileType,
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFile,
};
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};
use windows_sys::Win32::System::Threading::{
    GetProcessId, GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, WaitForSingleObject,
};

use crate::sys::{Access, Identity, Kind, Life};

/// Nobody is kept from reading, writing or removing the file: the lock alone decides.
const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// An absolute path, shared by all who need it.
#[derive(Debug, Clone)]
pub(crate) struct FullPath(Arc<Path>);

impl FullPath {
    /// Whether it has memory that has to be given back.
    pub(crate) fn owns_memory(&self) -> bool {
        true
    }

    /// Resolves a path against the working directory.
    pub(crate) fn resolve(path: &Path) -> io::Result<Self> {
        path::absolute(path).map(|path| Self(path.into()))
    }
}

/// A path for which nothing has to be asked any more: none is, here.
pub(crate) enum Absolute {}

impl Absolute {
    pub(crate) fn new(_: &Path) -> Option<Self> {
        None
    }
}

impl From<Absolute> for FullPath {
    fn from(path: Absolute) -> Self {
        match path {}
    }
}

impl Deref for FullPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

pub(crate) type OpenFile = File;

/// Opens what is there, a symbolic link itself and not where it leads; never creates, never
/// truncates.
pub(crate) fn open(path: &Path, access: Access) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(access == Access::ReadWrite)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// Creates the file, and fails with `AlreadyExists` if anything at all is there.
pub(crate) fn open_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// There is nothing that would tell a file that was created from one that was there.
pub(crate) fn open_or_create(_: &Path, _: u32) -> Option<File> {
    None
}

/// Every file has the same owner.
pub(crate) fn owner_of_new_files(_: &Path) -> Option<u32> {
    None
}

pub(crate) const UNFINISHED: u32 = 0;

/// Creates a directory and its missing parents.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// The one byte that is locked. Locks are mandatory here: whoever locks the text keeps others from
/// reading the PID in it. This byte lies beyond the end of every file, and yet inside the range
/// of programs that lock "the whole file", so that they and we exclude each other.
const LOCKED_BYTE: u64 = i64::MAX as u64 - 1;
const LOCKED_BYTE_LOW: u32 = LOCKED_BYTE as u32;
const LOCKED_BYTE_HIGH: u32 = (LOCKED_BYTE >> 32) as u32;

/// Takes the lock that excludes all others; `false` if somebody has one, be it through `file`.
pub(crate) fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    try_lock(file, LOCKFILE_EXCLUSIVE_LOCK)
}

/// Takes the lock that excludes only exclusive ones; `false` if somebody has such a one.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<bool> {
    try_lock(file, 0)
}

fn try_lock(file: &File, flags: u32) -> io::Result<bool> {
    let mut region = OVERLAPPED {
        Anonymous: OVERLAPPED_0 {
            Anonymous: OVERLAPPED_0_0 {
                Offset: LOCKED_BYTE_LOW,
                OffsetHigh: LOCKED_BYTE_HIGH,
            },
        },
        ..OVERLAPPED::default()
    };
    let flags = flags | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open as long as `file` is borrowed. `region` is a valid OVERLAPPED
    // that outlives the call, and nothing refers to it afterwards: std opens files for synchronous
    // work, so the request has ended when the call returns.
    let locked = unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &mut region) };
    if locked != 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if is_any_of(&error, &[ERROR_LOCK_VIOLATION]) => Ok(false),
        error => Err(error),
    }
}

/// Gives the lock back, if there is one.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    // SAFETY: the handle is open as long as `file` is borrowed; the call takes nothing else but
    // numbers.
    let unlocked = unsafe {
        UnlockFile(
            file.as_raw_handle(),
            LOCKED_BYTE_LOW,
            LOCKED_BYTE_HIGH,
            1,
            0,
        )
    };
    if unlocked != 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if is_any_of(&error, &[ERROR_NOT_LOCKED]) => Ok(()),
        error => Err(error),
    }
}

/// Whether the error says that nobody can lock on this file system.
pub(crate) fn is_lockless(error: &io::Error) -> bool {
    is_any_of(
        error,
        &[
            ERROR_NOT_SUPPORTED,
            ERROR_INVALID_FUNCTION,
            ERROR_CALL_NOT_IMPLEMENTED,
        ],
    )
}

/// Whether doing without the lock is worth a thought.
pub(crate) fn cannot_be_locked(error: &io::Error) -> bool {
    is_lockless(error)
}

/// Whether opening failed because of what was there, so that it is worth another try once that is
/// gone.
pub(crate) fn is_about_what_was_there(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Here nobody closes a handle behind the back of its owner, so there is nothing to tell apart.
pub(crate) fn mark(_: &File) -> io::Result<u32> {
    Ok(0)
}

/// Whether the handle still is one of the file that was marked so.
pub(crate) fn bears(_: &File, _: u32) -> bool {
    true
}

/// Whether the error says that a name has too many characters.
pub(crate) fn is_name_too_long(error: &io::Error) -> bool {
    is_any_of(error, &[ERROR_FILENAME_EXCED_RANGE])
}

fn is_any_of(error: &io::Error, codes: &[u32]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&(code as u32)))
}

/// What a look at a file showed.
#[derive(Debug)]
pub(crate) struct Stat {
    id: Identity,
    kind: Kind,
    links: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Stat {
    pub(crate) fn id(&self) -> Identity {
        self.id
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn links(&self) -> u64 {
        self.links
    }

    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// There are no permission bits here.
    pub(crate) fn mode(&self) -> u32 {
        0
    }

    pub(crate) fn uid(&self) -> u32 {
        0
    }

    pub(crate) fn gid(&self) -> u32 {
        0
    }

    /// When it was last written.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }
}

/// What the open file is.
pub(crate) fn stat(file: &File) -> io::Result<Stat> {
    // SAFETY: the handle is open as long as `file` is borrowed; the call only asks.
    let medium = unsafe { GetFileType(file.as_raw_handle()) };
    if medium != FILE_TYPE_DISK {
        // A reserved name (NUL, CON) or a pipe: these have no identity to ask for.
        return Ok(Stat {
            id: Identity {
                device: 0,
                inode: 0,
            },
            kind: if medium == FILE_TYPE_PIPE {
                Kind::Fifo
            } else {
                Kind::Device
            },
            links: 1,
            size: 0,
            modified: None,
        });
    }
    let information = information(file)?;
    Ok(Stat {
        id: Identity {
            device: information.dwVolumeSerialNumber.into(),
            inode: joined(information.nFileIndexHigh, information.nFileIndexLow),
        },
        kind: kind(file, information.dwFileAttributes)?,
        links: information.nNumberOfLinks.into(),
        size: joined(information.nFileSizeHigh, information.nFileSizeLow),
        modified: system_time(information.ftLastWriteTime),
    })
}

/// What is at the path, a symbolic link itself and not where it leads.
pub(crate) fn stat_path(path: &Path) -> io::Result<Stat> {
    stat(&open_to_ask(path, FILE_FLAG_OPEN_REPARSE_POINT)?)
}

/// Whether the path still names the file that was seen so, and nothing has been done to it since, as
/// far as a look shows.
pub(crate) fn shows(path: &Path, seen: &Stat) -> io::Result<bool> {
    let there = stat_path(path)?;
    Ok(there.id == seen.id && there.links == seen.links)
}

/// Which file is at the path.
pub(crate) fn identify_path(path: &Path) -> io::Result<Identity> {
    stat_path(path).map(|stat| stat.id)
}

/// There is no such call here.
pub(crate) fn wait_for_changes_of_directory(_: &Path) {}

/// Shortens the file.
pub(crate) fn truncate(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)
}

/// Removes the name.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// What is at the path, or where a symbolic link there leads.
pub(crate) fn stat_directory(path: &Path) -> io::Result<Stat> {
    stat(&open_to_ask(path, 0)?)
}

fn open_to_ask(path: &Path, flags: u32) -> io::Result<File> {
    OpenOptions::new()
        // Neither to read nor to write, which nobody's share mode forbids.
        .access_mode(0)
        .share_mode(SHARE_ALL)
        // Without this flag a directory cannot be opened.
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags)
        .open(path)
}

fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open as long as `file` is borrowed. The call may write to
    // `information`, which outlives it.
    let answer = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut information) };
    if answer == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(information)
}

fn kind(file: &File, attributes: u32) -> io::Result<Kind> {
    /// In the tag of everything that stands for another place: symbolic links, junctions.
    const NAME_SURROGATE: u32 = 0x2000_0000;
    const AF_UNIX: u32 = 0x8000_0023;

    // Compressed files and the like are reparse points too, and regular files all the same.
    if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        match reparse_tag(file)? {
            AF_UNIX => return Ok(Kind::Socket),
            tag if tag & NAME_SURROGATE != 0 => return Ok(Kind::Symlink),
            _ => {}
        }
    }
    Ok(if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        Kind::Directory
    } else {
        Kind::Regular
    })
}

fn reparse_tag(file: &File) -> io::Result<u32> {
    let mut information = FILE_ATTRIBUTE_TAG_INFO::default();
    // SAFETY: the handle is open as long as `file` is borrowed. The call may write a structure of
    // this class and size to `information`, which is one and outlives it.
    let answer = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            FileAttributeTagInfo,
            (&raw mut information).cast(),
            size_of::<FILE_ATTRIBUTE_TAG_INFO>() as u32,
        )
    };
    if answer == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(information.ReparseTag)
}

fn joined(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// Reads from `offset` on, up to the buffer's length: perhaps less than there is, but nothing only at
/// the end.
pub(crate) fn read_some_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
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
    let mut done = 0;
    while done < text.len() {
        match file.seek_write(&text[done..], done as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Does nothing: who may do what stands in the access control list, which the file inherits from
/// its directory.
pub(crate) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Does nothing: an owner has no number here.
pub(crate) fn set_owner(_file: &File, _uid: Option<u32>, _gid: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// Lets go of a handle whose number no longer means our file, without closing whatever bears that
/// number now.
pub(crate) fn abandon(file: File) {
    let _ = file.into_raw_handle();
}

/// Every file has the same owner.
pub(crate) fn is_effective_uid(_: u32) -> bool {
    true
}

/// The user that permission checks are made for, for a person.
pub(crate) fn current_user() -> String {
    "this user".into()
}

/// Whether the program's environment is that of a user with fewer rights: never, for there are no
/// set-user-ID programs here.
pub(crate) fn has_raised_privileges() -> bool {
    false
}

/// Whether a process has this number.
pub(crate) fn exists(pid: u32) -> bool {
    life(pid) != Life::Gone
}

/// Whether a process that can do work has this number, and since when.
pub(crate) fn life(pid: u32) -> Life {
    let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
    // SAFETY: the call takes only numbers, and makes a handle or returns null.
    let process = unsafe { OpenProcess(rights, 0, pid) };
    if process.is_null() {
        // Every other refusal, above all that of access, is about a process that is there.
        return match io::Error::last_os_error() {
            error if is_any_of(&error, &[ERROR_INVALID_PARAMETER]) => Life::Gone,
            _ => Life::Running {
                since: None,
                ending: false,
            },
        };
    }
    // SAFETY: the handle was made just now, and nobody else knows of it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: `process` is an open handle with the right to query.
    let found = unsafe { GetProcessId(process.as_raw_handle()) };
    // OpenProcess takes the three numbers that follow a PID, which is divisible by 4, for that PID.
    if found != pid || has_ended(&process) {
        return Life::Gone;
    }
    Life::Running {
        since: start_time(&process),
        ending: false,
    }
}

/// A process keeps its number after its end for as long as somebody has a handle to it.
fn has_ended(process: &OwnedHandle) -> bool {
    // SAFETY: `process` is an open handle with the right to wait for it; no time is waited.
    let answer = unsafe { WaitForSingleObject(process.as_raw_handle(), 0) };
    answer == WAIT_OBJECT_0
}

fn start_time(process: &OwnedHandle) -> Option<SystemTime> {
    let mut created = FILETIME::default();
    let [mut ended, mut in_kernel, mut in_user] = [FILETIME::default(); 3];
    // SAFETY: `process` is an open handle with the right to query, and the call may write to each
    // of the four places, which outlive it.
    let answer = unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &mut created,
            &mut ended,
            &mut in_kernel,
            &mut in_user,
        )
    };
    if answer == 0 {
        return None;
    }
    system_time(created)
}

/// A `FILETIME` counts steps of 100 ns since the year 1601.
fn system_time(time: FILETIME) -> Option<SystemTime> {
    const UNIX_EPOCH: u64 = 116_444_736_000_000_000;
    let steps = joined(time.dwHighDateTime, time.dwLowDateTime).checked_sub(UNIX_EPOCH)?;
    let since_epoch =
        Duration::from_secs(steps / 10_000_000) + Duration::from_nanos(steps % 10_000_000 * 100);
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}

/// This process as no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThisProcess {
    pid: u32,
}

impl ThisProcess {
    /// Who asks.
    pub(crate) fn current() -> Self {
        Self {
            pid: std::process::id(),
        }
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// Whether the process that asks is still the one that was `current`.
    pub(crate) fn is_current(self) -> bool {
        self.pid == std::process::id()
    }
}

/// One value per process.
pub(crate) struct PerProcess<T: 'static> {
    value: OnceLock<T>,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self {
            value: OnceLock::new(),
        }
    }

    /// The value of process `me`, made when it first asks.
    pub(crate) fn get(&'static self, _me: ThisProcess, new: impl FnOnce() -> T) -> &'static T {
        self.value.get_or_init(new)
    }
}
