//! Removing a pidfile with nothing but what a signal handler may call (signal-safety(7)): `lseek`,
//! `fstat`, `lstat`, `unlink`, `ftruncate`.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use super::claims::Occasions;
use super::slots::Will;
use crate::sys::Identity;

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
        None => {
            // SAFETY: fstat takes any number for a descriptor, and writes to `stat` only.
            identify(|stat| unsafe { libc::fstat(will.fd, stat) }) == Some(will.id)
        }
    };
    if !ours {
        return;
    }
    let there = identify(|stat| {
        // SAFETY: the path is NUL-terminated and lives in the will; lstat writes to `stat` only.
        unsafe { libc::lstat(will.path.as_ptr(), stat) }
    });
    let removed = match there {
        Some(id) if id != will.id => return,
        Some(_) if !will.keep => {
            // SAFETY: the path is NUL-terminated and lives in the will.
            let answer = unsafe { libc::unlink(will.path.as_ptr()) };
            answer == 0
        }
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

fn identify(stat: impl FnOnce(*mut libc::stat) -> libc::c_int) -> Option<Identity> {
    let mut buffer = MaybeUninit::<libc::stat>::uninit();
    if stat(buffer.as_mut_ptr()) != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    let stat = unsafe { buffer.assume_init() };
    // The widths of the fields differ between platforms.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    Some(Identity {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
    })
}
