//! Files: open, lock, identify, change.

#![allow(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, IntoRawHandle};
use std::path::Path;
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::*;
use windows_sys::Win32::Storage::FileSystem::*;
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0_0};

use super::path::AbsPath;
use crate::sys::types::{Access, FileId, FileType, Stat};

/// No process is kept from reading, writing or removing the file: only the lock decides.
const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

/// Opens an existing file, a symbolic link itself and not its target. Never creates or truncates one.
pub(crate) fn open(path: &AbsPath, access: Access) -> io::Result<File> {
    let file = options().write(access == Access::ReadWrite).open(&**path);
    file.map_err(exact)
}

/// Creates the file. Fails with `AlreadyExists` if anything is there.
pub(crate) fn create(path: &AbsPath, _mode: u32) -> io::Result<File> {
    let file = options().write(true).create_new(true).open(&**path);
    file.map_err(exact)
}

/// Removes the name.
pub(crate) fn unlink(path: &AbsPath) -> io::Result<()> {
    fs::remove_file(&**path).map_err(exact)
}

/// Renames a file, and replaces the one that has the new name.
pub(crate) fn rename(from: &AbsPath, to: &AbsPath) -> io::Result<()> {
    let is_denied = |error: &io::Error| is_any_of(error, &[ERROR_ACCESS_DENIED]);
    let in_use = io::Error::from_raw_os_error(ERROR_SHARING_VIOLATION as i32);
    match fs::rename(&**from, &**to) {
        // The system answers "access denied" also if another program has the replaced file open. Only a lack
        // of permission denies to open the file for its removal.
        Err(error) if is_denied(&error) => {
            let removal = OpenOptions::new().access_mode(DELETE).open(&**to);
            Err(match removal.is_err_and(|error| is_denied(&error)) {
                true => error,
                false => in_use,
            })
        }
        renamed => renamed,
    }
}

/// Creates a directory and its missing parents.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// The byte that is locked. Locks are mandatory here, so a lock on the text would keep others from
/// reading the PID. This byte lies beyond the end of every file, and inside the range of programs that
/// lock "the whole file", so that they and pidlock exclude each other.
const LOCKED_BYTE: u64 = i64::MAX as u64 - 1;
const LOCKED_BYTE_LOW: u32 = LOCKED_BYTE as u32;
const LOCKED_BYTE_HIGH: u32 = (LOCKED_BYTE >> 32) as u32;

/// Tries to take the exclusive lock; `false` if any other lock is held, even through `file`.
pub(crate) fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    try_lock(file, LOCKFILE_EXCLUSIVE_LOCK)
}

/// Tries to take a shared lock; `false` if the exclusive lock is held.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<bool> {
    try_lock(file, 0)
}

fn try_lock(file: &File, flags: u32) -> io::Result<bool> {
    let mut region = OVERLAPPED::default();
    region.Anonymous.Anonymous = OVERLAPPED_0_0 {
        Offset: LOCKED_BYTE_LOW,
        OffsetHigh: LOCKED_BYTE_HIGH,
    };
    let flags = flags | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: `file` is open, and `region` outlives the call. Nothing refers to it afterwards: std
    // opens files for synchronous work, so the request has ended when the call returns.
    let locked = unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &mut region) };
    if locked != 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if is_any_of(&error, &[ERROR_LOCK_VIOLATION]) => Ok(false),
        error => Err(error),
    }
}

/// Releases the lock.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    let handle = file.as_raw_handle();
    // SAFETY: `file` is open; the rest are numbers.
    let unlocked = unsafe { UnlockFile(handle, LOCKED_BYTE_LOW, LOCKED_BYTE_HIGH, 1, 0) };
    match unlocked {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A lock is lost only with its handle, which no other part of the program can close.
pub(crate) fn confirm_lock(_: &File) -> bool {
    true
}

/// The file system has no locks.
pub(crate) fn is_lock_unsupported(error: &io::Error) -> bool {
    let unsupported = [
        ERROR_NOT_SUPPORTED,
        ERROR_INVALID_FUNCTION,
        ERROR_CALL_NOT_IMPLEMENTED,
    ];
    is_any_of(error, &unsupported)
}

/// The file cannot be read while another program has locked its text.
pub(crate) fn is_denied_by_lock(error: &io::Error) -> bool {
    is_any_of(error, &[ERROR_LOCK_VIOLATION])
}

pub(crate) fn needs_write_access(_: &io::Error) -> bool {
    false
}

/// The file was removed.
pub(crate) fn is_removed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

pub(crate) fn is_not_kept(_: &io::Error) -> bool {
    false
}

/// Opening failed because of what was there, so it may succeed once that is removed.
pub(crate) fn may_be_transient(error: &io::Error) -> bool {
    is_any_of(error, &[ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING])
}

/// The call failed because another program has the file open, or because the file is about to be removed.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    let in_use = [
        ERROR_DELETE_PENDING,
        ERROR_FILE_EXISTS, // it was to be removed before, but another program has it open
        ERROR_SHARING_VIOLATION,
    ];
    is_any_of(error, &in_use)
}

#[link(name = "ntdll")]
unsafe extern "system" {
    /// The last status of the kernel that this thread has turned into an error.
    fn RtlGetLastNtStatus() -> NTSTATUS;
}

/// The error of the file operation that has just failed in this thread. The system answers "access denied" also
/// for a file that is about to be removed. Only the kernel's status tells that from a lack of permission.
fn exact(error: io::Error) -> io::Error {
    // SAFETY: takes nothing, and returns a number.
    let status = unsafe { RtlGetLastNtStatus() };
    match is_any_of(&error, &[ERROR_ACCESS_DENIED]) && status == STATUS_DELETE_PENDING {
        true => io::Error::from_raw_os_error(ERROR_DELETE_PENDING as i32),
        false => error,
    }
}

pub(super) fn is_any_of(error: &io::Error, codes: &[u32]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&(code as u32)))
}

/// Not needed: no other part of the program can close a handle and have its number reused.
pub(crate) fn offset_tag(_: &File, _pid: u32) -> u64 {
    0
}

pub(crate) fn has_offset_tag(_: &File, _: u64) -> bool {
    true
}

/// Reads from `offset`. May return less than there is, but 0 only at the end of the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Overwrites the beginning of the file. Does not truncate it.
pub(crate) fn write_at_start(file: &File, text: &[u8]) -> io::Result<()> {
    let mut file = file;
    file.rewind()?;
    file.write_all(text)
}

/// Sets the lock mark only: the access control list is inherited from the directory.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if mode & LOCK_MARK == 0 {
        return Ok(());
    }
    let information = FILE_BASIC_INFO {
        FileAttributes: FILE_ATTRIBUTE_TEMPORARY,
        ..FILE_BASIC_INFO::default() // times that stay as they are
    };
    // SAFETY: `file` is open, and `information` is a structure of this class and size.
    let answer = unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw const information).cast(),
            size_of::<FILE_BASIC_INFO>() as u32,
        )
    };
    match answer {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Does nothing: an owner has no number.
pub(crate) fn set_owner(_: &File, _uid: Option<u32>, _gid: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// Forgets a handle without closing it.
pub(crate) fn forget(file: File) {
    let _ = file.into_raw_handle();
}

/// Stands for the attribute `FILE_ATTRIBUTE_TEMPORARY`, by which the system need not write the file to the disk.
pub(crate) const LOCK_MARK: u32 = 0o1000;

pub(crate) fn stat(file: &File) -> io::Result<Stat> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: `file` is open.
    let file_type = match unsafe { GetFileType(file.as_raw_handle()) } {
        FILE_TYPE_DISK => {
            // SAFETY: `file` is open, and `information` outlives the call.
            let answer =
                unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut information) };
            if answer == 0 {
                return Err(io::Error::last_os_error());
            }
            file_type(information.dwFileAttributes, || reparse_tag(file))?
        }
        // A reserved name (NUL, CON) or a pipe has no identity.
        FILE_TYPE_PIPE => FileType::Fifo,
        _ => FileType::Device,
    };
    Ok(Stat {
        id: FileId {
            device: information.dwVolumeSerialNumber.into(),
            inode: joined(information.nFileIndexHigh, information.nFileIndexLow),
        },
        file_type,
        links: information.nNumberOfLinks.into(),
        size: joined(information.nFileSizeHigh, information.nFileSizeLow),
        mode: match information.dwFileAttributes & FILE_ATTRIBUTE_TEMPORARY {
            0 => 0,
            _ => LOCK_MARK,
        },
        uid: 0,
        gid: 0,
        created: system_time(information.ftCreationTime),
        modified: system_time(information.ftLastWriteTime),
    })
}

/// The metadata of what is at the path, a symbolic link itself and not its target.
pub(crate) fn stat_path(path: &AbsPath) -> io::Result<Stat> {
    let file = OpenOptions::new()
        // Neither read nor write access, so that no other process's share mode can make this fail.
        .access_mode(0)
        .share_mode(SHARE_ALL)
        // Without this flag a directory cannot be opened.
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(&**path);
    stat(&file.map_err(exact)?)
}

/// The identity of what is at the path.
pub(crate) fn id_at(path: &AbsPath) -> io::Result<FileId> {
    stat_path(path).map(|stat| stat.id)
}

fn file_type(attributes: u32, tag: impl FnOnce() -> io::Result<u32>) -> io::Result<FileType> {
    /// In the tag of everything that stands for another place: symbolic links, junctions.
    const NAME_SURROGATE: u32 = 0x2000_0000;
    const AF_UNIX: u32 = 0x8000_0023;

    // Compressed files and the like are reparse points too, and regular files all the same.
    if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        match tag()? {
            AF_UNIX => return Ok(FileType::Socket),
            tag if tag & NAME_SURROGATE != 0 => return Ok(FileType::Symlink),
            _ => {}
        }
    }
    Ok(match attributes & FILE_ATTRIBUTE_DIRECTORY {
        0 => FileType::Regular,
        _ => FileType::Directory,
    })
}

fn reparse_tag(file: &File) -> io::Result<u32> {
    let mut information = FILE_ATTRIBUTE_TAG_INFO::default();
    // SAFETY: `file` is open, and `information` is a structure of this class and size that outlives
    // the call.
    let answer = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            FileAttributeTagInfo,
            (&raw mut information).cast(),
            size_of::<FILE_ATTRIBUTE_TAG_INFO>() as u32,
        )
    };
    match answer {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(information.ReparseTag),
    }
}

fn joined(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// A `FILETIME` counts steps of 100 ns since 1601.
pub(super) fn system_time(time: FILETIME) -> Option<SystemTime> {
    const UNIX_EPOCH: u64 = 116_444_736_000_000_000;
    let steps = joined(time.dwHighDateTime, time.dwLowDateTime).checked_sub(UNIX_EPOCH)?;
    let seconds = Duration::from_secs(steps / 10_000_000);
    SystemTime::UNIX_EPOCH.checked_add(seconds + Duration::from_nanos(steps % 10_000_000 * 100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::windows::io::OwnedHandle;
    use std::process::{Command, Stdio};

    #[test]
    fn device_and_pipe_are_told_from_files() {
        let device = File::open("NUL").expect("open the device");
        assert_eq!(stat(&device).expect("inspect").file_type, FileType::Device);
        let mut command = Command::new("cmd.exe");
        let command = command.args(["/c", "exit"]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("start a program");
        let stdin = child.stdin.take().expect("its input is piped");
        let pipe = File::from(OwnedHandle::from(stdin));
        assert_eq!(stat(&pipe).expect("inspect").file_type, FileType::Fifo);
        child.wait().expect("wait for the program");
    }

    #[test]
    fn links_and_sockets_are_told_by_their_tag() {
        const FILE: u32 = FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_REPARSE_POINT;
        const DIRECTORY: u32 = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
        const NO_TAG: u32 = 0;
        for (attributes, tag, expected) in [
            (FILE_ATTRIBUTE_NORMAL, NO_TAG, FileType::Regular),
            (FILE_ATTRIBUTE_DIRECTORY, NO_TAG, FileType::Directory),
            (FILE, 0xa000_000c, FileType::Symlink),
            (DIRECTORY, 0xa000_000c, FileType::Symlink),
            (DIRECTORY, 0xa000_0003, FileType::Symlink), // a junction
            (FILE, 0x8000_0023, FileType::Socket),
            (FILE, 0x8000_0017, FileType::Regular), // a compressed file
        ] {
            let found = file_type(attributes, || Ok(tag)).expect("the tag is known");
            assert_eq!(found, expected, "{attributes:#x}, {tag:#x}");
        }
    }

    #[test]
    fn lock_covers_no_text_but_excludes_a_lock_of_the_whole_file() {
        let file = tempfile::NamedTempFile::new().expect("create a file");
        let other = file.reopen().expect("open it again");
        let lock_from_start = |len: u64| {
            let (low, high) = (len as u32, (len >> 32) as u32);
            // SAFETY: `other` is open; the rest are numbers.
            unsafe { LockFile(other.as_raw_handle(), 0, 0, low, high) != 0 }
        };
        assert!(try_lock_exclusive(file.as_file()).expect("lock"));
        assert!(!lock_from_start(u64::MAX));
        assert!(lock_from_start(u64::from(u32::MAX)));
        unlock(file.as_file()).expect("unlock");
        drop(other);
    }

    #[test]
    fn file_about_to_be_removed_is_told_from_a_lack_of_permission() {
        for (status, code, in_use) in [
            (STATUS_DELETE_PENDING, ERROR_DELETE_PENDING, true),
            (STATUS_ACCESS_DENIED, ERROR_ACCESS_DENIED, false),
            (STATUS_SHARING_VIOLATION, ERROR_SHARING_VIOLATION, true),
        ] {
            // SAFETY: takes a number. Keeps it for this thread, as each call that fails does.
            let error = unsafe { RtlNtStatusToDosError(status) };
            let error = exact(io::Error::from_raw_os_error(error as i32));
            assert!(is_any_of(&error, &[code]), "{error}");
            assert_eq!(is_in_use(&error), in_use, "{error}");
        }
    }
}
