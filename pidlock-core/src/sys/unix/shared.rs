//! A word that a process and the children it forks see alike.

#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::memory::{map, unmap};

/// 0 until one process has put its number there, for good.
#[derive(Debug)]
pub(crate) struct SharedWord(NonNull<AtomicU32>);

// SAFETY: all that is ever done with the word is atomic, and the mapping belongs to no thread.
unsafe impl Send for SharedWord {}
// SAFETY: as above.
unsafe impl Sync for SharedWord {}

impl SharedWord {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: zero bytes are a valid AtomicU32, and a page is aligned for it.
        unsafe { map(libc::MAP_SHARED) }.map(Self)
    }

    /// Puts this number there, or says whose is there already.
    pub(crate) fn set_once(&self, number: u32) -> Result<(), u32> {
        self.word()
            .compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: mapped and valid (see `new`) until `self` is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedWord {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new`, and nothing refers to it any more; other
        // processes have mappings of their own.
        unsafe { unmap(self.0) };
    }
}
