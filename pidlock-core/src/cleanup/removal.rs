//! Removing a pidfile with nothing but what a signal handler may call (signal-safety(7)): `lseek`,
//! `fstat`, `lstat`, `unlink`, `ftruncate`.

#![allow(unsafe_code)]

use super::claims::Occasions;
use crate::hold::Hold;
use crate::sys;

/// What [`Hold::give_back`] does, but for closing: the end of the process does that.
pub(super) fn remove(hold: &Hold, occasion: Occasions) {
    let Some(fd) = hold.descriptor() else { return };
    // The descriptor may have been closed, and the number be another file's by now.
    let ours = match hold.mark {
        Some(mark) => {
            // SAFETY: lseek takes any number for a descriptor, and this one moves nothing.
            let offset = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
            u32::try_from(offset) == Ok(mark)
        }
        None => sys::identify_descriptor(fd).is_ok_and(|id| id == hold.id),
    };
    if !ours {
        return;
    }
    let removed = match sys::identify_path(&hold.path) {
        Ok(there) if there != hold.id => return,
        Ok(_) if !hold.keep => sys::remove(&hold.path).is_ok(),
        // To be kept, or out of reach; others may still reach it, and are to find it empty.
        _ => false,
    };
    if removed {
        return;
    }
    // SAFETY: the descriptor is the pidfile's, as the look above showed.
    unsafe { libc::ftruncate(fd, 0) };
    // The file stays, and with it the lock, as long as a child that was forked and has not called
    // exec shares it. POSIX does not let a handler give it back, for it does not know flock.
    if occasion == Occasions::EXIT {
        // SAFETY: as above.
        unsafe { libc::flock(fd, libc::LOCK_UN) };
    }
}
