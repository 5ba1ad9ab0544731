//! The access to a process and to a file.

#![allow(unsafe_code, reason = "an access control list, and a lock")]

use std::fs::File;
use std::os::windows::io::AsRawHandle;
use std::process::Child;
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Security::Authorization::{SE_KERNEL_OBJECT, SetSecurityInfo};
use windows_sys::Win32::Security::{ACL, ACL_REVISION, DACL_SECURITY_INFORMATION, InitializeAcl};
use windows_sys::Win32::Storage::FileSystem::LockFile;

/// Locks a whole file. The lock lasts until the file is closed.
///
/// # Panics
///
/// If that fails.
pub fn lock_whole(file: &File) {
    // SAFETY: `file` is open; the rest are numbers.
    let is_locked = unsafe { LockFile(file.as_raw_handle(), 0, 0, u32::MAX, u32::MAX) };
    assert_ne!(is_locked, 0, "lock the whole file");
}

/// Denies all users to query or terminate a process. Handles that are open keep their access.
///
/// # Panics
///
/// If that fails.
pub fn deny_access(process: &Child) {
    let mut empty = ACL::default();
    // SAFETY: `empty` has the given size.
    let is_list = unsafe { InitializeAcl(&mut empty, size_of::<ACL>() as u32, ACL_REVISION) };
    assert_ne!(is_list, 0, "create an access control list");
    // SAFETY: the handle of the process is open, and `empty` is a list. The owner and the rest are not set.
    let error = unsafe {
        SetSecurityInfo(
            process.as_raw_handle(),
            SE_KERNEL_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            &empty,
            ptr::null(),
        )
    };
    assert_eq!(error, ERROR_SUCCESS, "set the access control list");
}
