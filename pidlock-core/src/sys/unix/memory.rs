//! A few words in memory that the kernel treats in its own way when the process forks.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};

/// Maps new memory that is all zeros: private, or shared with children, as the flag of mmap(2) says.
///
/// # Safety
///
/// Zero bytes are a valid `T`, and a page is aligned for it.
pub(super) unsafe fn map<T>(sharing: libc::c_int) -> io::Result<NonNull<T>> {
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory that
    // exists.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<T>(),
            libc::PROT_READ | libc::PROT_WRITE,
            sharing | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A page is never at address 0 unless that was asked for.
    NonNull::new(page.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

/// Unmaps it.
///
/// # Safety
///
/// It came from `map`, and nothing refers to it any more.
pub(super) unsafe fn unmap<T>(mapped: NonNull<T>) {
    // SAFETY: as the caller promises.
    unsafe { libc::munmap(mapped.as_ptr().cast(), size_of::<T>()) };
}
