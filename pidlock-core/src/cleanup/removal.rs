//! Removing a pidfile with nothing but what a signal handler may call (signal-safety(7)): `lseek`,
//! `fstat`, `lstat`, `unlink`, `ftruncate`.

use super::claims::Occasions;
use crate::hold::Hold;
use crate::sys;

/// What [`Hold::give_back`] does, but for closing: the end of the process does that.
pub(super) fn remove(hold: &Hold, occasion: Occasions) {
    // The descriptor may have been closed, and the number be another file's by now.
    let Some(file) = hold.sound_file() else {
        return;
    };
    let removed = match sys::identify_path(&hold.path) {
        Ok(there) if there != hold.id => return,
        Ok(_) if !hold.keep => sys::remove(&hold.path).is_ok(),
        // To be kept, or out of reach; others may still reach it, and are to find it empty.
        _ => false,
    };
    if removed {
        return;
    }
    let _ = sys::truncate(file, 0);
    // The file stays, and with it the lock, as long as a child that was forked and has not called
    // exec shares it. POSIX does not let a handler give it back, for it does not know flock.
    if occasion == Occasions::EXIT {
        let _ = sys::unlock(file);
    }
}
