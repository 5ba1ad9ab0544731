//! Shares of a hold: a guard has one, and the last one that is given back releases the file.

#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process;
use std::sync::atomic::Ordering;

use super::claim::Claim;
use super::claims::Occasions;
use super::exit;
use super::registry::Registry;
use super::slots::Slot;
use crate::error::PidFileError;
use crate::hold::{Hold, Trouble};
use crate::plan::{OnSignal, Plan};
use crate::sys::Identity;

/// A share of a hold that this process has, or that its parent had when it forked.
pub(crate) struct Share(&'static Slot);

impl Claim {
    /// The first share of a new hold, whose file is removed on the occasions that the plan names from
    /// now on.
    #[inline(always)] // a hold is large, and is put where it stays
    pub(crate) fn enter(&self, plan: &Plan<'_>, hold: impl FnOnce() -> Hold) -> Share {
        let slot = self.process.free_slot();
        // SAFETY: free a moment ago, and nobody else has taken it.
        unsafe { slot.fill(self.process, hold()) };
        slot.shares.store(1, Ordering::Relaxed);
        self.process.arrivals.add(slot);
        slot.turn.publish(Occasions::new(
            plan.on_signal != OnSignal::Off,
            plan.at_exit,
        ));
        if plan.at_exit {
            exit::register();
        }
        Share(slot)
    }
}

impl Registry {
    /// A share of this process's hold of this file, if it has one.
    pub(crate) fn share(&mut self, id: Identity) -> Option<Share> {
        let slot = self.find(id)?;
        if slot.shares.fetch_add(1, Ordering::Relaxed) == u32::MAX {
            // Guards that are forgotten stay counted. Beginning anew would release the hold under
            // those who have it; `Arc` does not go on either.
            process::abort();
        }
        Some(Share(slot))
    }
}

impl Share {
    /// Gives it back, and says how that went.
    pub(crate) fn close(self) -> Result<(), PidFileError> {
        let path = self.path.clone();
        let this = ManuallyDrop::new(self);
        let mut trouble = None;
        // SAFETY: it is not used any more.
        unsafe { this.leave(|found| trouble = Some(found)) };
        match trouble {
            None => Ok(()),
            Some(trouble) => Err(trouble.with(&path)),
        }
    }

    /// # Safety
    ///
    /// The share is not used after that.
    #[inline(always)] // most do not care what went wrong
    unsafe fn leave(&self, report: impl FnOnce(Trouble)) {
        let (slot, id, owner) = (self.0, self.id, self.owner());
        if !owner.is_current() {
            // SAFETY: as the caller promises.
            unsafe { self.leave_to_parent() };
            return;
        }
        // SAFETY: a share is out.
        let process = unsafe { slot.process() };
        let _claim = Claim::begin_in(process);
        let mut registry = process.registry_without_arrivals();
        if !slot.give_up_share() {
            return;
        }
        if !process.arrivals.take_back(slot) {
            registry.let_in(process.arrivals.take_all());
            registry.remove(slot, id);
        }
        if !slot.turn.claim(Occasions::ANY) {
            // The program is exiting, and has given the file back. The descriptor stays open: what
            // has become of its number is not known any more.
            return;
        }
        // SAFETY: no share is left, it is off the chains, and the turn is claimed.
        let hold = unsafe { slot.hold_mut() };
        if let Err(trouble) = hold.give_back() {
            report(trouble);
        }
        // Nearly always there is nothing left that would have to be dropped: the file is closed.
        if hold.path.owns_memory() {
            // SAFETY: as above.
            unsafe { slot.empty() };
        }
        slot.turn.done();
        if !process.spare.put(slot) {
            registry.add_free(slot);
        }
    }

    /// In a forked child of the owner: closing is all that is its to do, and dropping does it.
    ///
    /// # Safety
    ///
    /// As for `leave`, and this process is not the owner.
    #[cold]
    unsafe fn leave_to_parent(&self) {
        if self.0.give_up_share() {
            // SAFETY: no share is left in this process, whose registry knows nothing of the slot, and
            // which never looks at its turn.
            unsafe { self.0.empty() };
        }
    }
}

impl Deref for Share {
    type Target = Hold;

    #[inline]
    fn deref(&self) -> &Hold {
        // SAFETY: a share is out.
        unsafe { self.0.hold() }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // SAFETY: that was its last use.
        unsafe { self.leave(drop) };
    }
}

// No code of a user's runs while something is half done in a slot.
impl UnwindSafe for Share {}
impl RefUnwindSafe for Share {}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Share").field(&**self).finish()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::mem;

    use super::*;
    use crate::PidFile;
    use crate::sys::{self, FullPath, ThisProcess};

    #[test]
    fn a_count_that_would_begin_anew_ends_the_program() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = FullPath::resolve(&dir.path().join("app.pid")).expect("a path");
        let share_once_too_often = || -> Option<()> {
            let _guard = PidFile::at(&*path).acquire().ok()?;
            let id = sys::identify_path(&path).ok()?;
            let mut registry = Registry::of(ThisProcess::current());
            // As if so many guards had been forgotten.
            registry.find(id)?.shares.store(u32::MAX, Ordering::Relaxed);
            registry.share(id).map(mem::forget)
        };
        // SAFETY: the child makes files and allocates, which glibc allows after a fork, and leaves by
        // _exit.
        let child = match unsafe { libc::fork() } {
            0 => {
                let shared = share_once_too_often().is_some();
                // SAFETY: ends the child at once, running nothing of this program's.
                unsafe { libc::_exit(shared.into()) }
            }
            child => child,
        };
        let mut status = 0;
        // SAFETY: `status` is a valid int, and `child` is ours to wait for.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFSIGNALED(status), "{status}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
    }
}
