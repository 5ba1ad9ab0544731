//! Removing a pidfile with nothing but what a signal handler may call (signal-safety(7)): `lseek`,
//! `fstat`, `lstat`, `unlink`, `ftruncate`.

#![allow(unsafe_code)]

use super::claims::Occasions;
use super::slots::Will;
use crate::sys;

/// What [`Hold::release`](crate::hold::Hold::release) does, but for closing: the end of the
/// process does that.
pub(super) fn remove(will: &Will, occasion: Occasions) {
    // The descriptor may have been closed, and the number be another file's by now.
    let ours = match will.mark {
        Some(mark) => {
            // SAFETY: lseek takes any number for a descriptor, and this one moves nothing.
            let offset = unsafe { libc::lseek(will.fd, 0, libc::SEEK_CUR) };
            u32::try_from(offset) == Ok(mark)
        }
        None => sys::identify_descriptor(will.fd).is_ok_and(|id| id == will.id),
    };
    if !ours {
        return;
    }
    let removed = match sys::identify_path(&will.path) {
        Ok(there) if there != will.id => return,
        Ok(_) if !will.keep => sys::remove(&will.path).is_ok(),
        // To be kept, or out of reach; others may still reach it, and are to find it empty.
        _ => false,
    };
    if removed {
        return;
    }
    // SAFETY: the descriptor is the pidfile's, as the look above showed.
    unsafe { libc::ftruncate(will.fd, 0) };
    // The file stays, and with it the lock, as long as a child that was forked and has not called
    // exec shares it. POSIX does not let a handler give it back, for it does not know flock.
    if occasion == Occasions::EXIT {
        // SAFETY: as above.
        unsafe { libc::flock(will.fd, libc::LOCK_UN) };
    }
}
