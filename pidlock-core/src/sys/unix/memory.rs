//! A word in memory that the kernel treats in its own way when the process forks.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

pub(super) const LEN: usize = size_of::<AtomicU32>();

/// Maps a new word that is 0: private, or shared with children, as the flag of mmap(2) says.
pub(super) fn map_word(sharing: libc::c_int) -> io::Result<NonNull<AtomicU32>> {
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory that
    // exists.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LEN,
            libc::PROT_READ | libc::PROT_WRITE,
            sharing | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A page is aligned for everything, its zero bytes are a valid AtomicU32, and it is never at
    // address 0 unless that was asked for.
    NonNull::new(page.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

/// Unmaps a word.
///
/// # Safety
///
/// It came from `map_word`, and nothing refers to it any more.
pub(super) unsafe fn unmap_word(word: NonNull<AtomicU32>) {
    // SAFETY: as the caller promises.
    unsafe { libc::munmap(word.as_ptr().cast(), LEN) };
}
