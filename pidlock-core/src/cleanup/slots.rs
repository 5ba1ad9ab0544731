//! Held files where a signal handler can read them without a lock: in slots that are never moved or
//! freed.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::shutdown::{RemovalClaim, RemoveOn};
use crate::held::HeldFile;
use crate::sys::AtomicRef;

/// A place for one held file.
#[derive(Debug, Default)]
pub(super) struct Slot {
    removal: RemovalClaim,
    held: AtomicPtr<HeldFile>,
    /// The slot that was added before this one.
    older: Option<&'static Slot>,
}

impl Slot {
    /// Publishes a file, which stays where it is until `withdraw` returns `true`.
    pub(super) fn publish(&self, held: &HeldFile, occasions: RemoveOn) {
        let held = ptr::from_ref(held).cast_mut();
        self.held.store(held, Ordering::Relaxed);
        self.removal.publish(occasions);
    }

    /// Returns `true` if a handler has removed the file, or is about to.
    pub(super) fn is_claimed(&self) -> bool {
        self.removal.is_claimed()
    }

    /// Returns `true` if the file is the caller's to remove, and no handler will read it any more.
    pub(super) fn withdraw(&self) -> bool {
        let is_claimed = self.removal.try_claim(RemoveOn::GUARD);
        if is_claimed {
            self.removal.reset();
        }
        is_claimed
    }
}

/// All slots of a process.
#[derive(Default)]
pub(super) struct Slots {
    newest: AtomicRef<Slot>,
}

impl Slots {
    /// Adds an empty slot. The caller holds the table's lock.
    pub(super) fn add(&self) -> &'static Slot {
        let older = self.newest.get();
        let slot = Box::leak(Box::new(Slot {
            older,
            ..Slot::default()
        }));
        self.newest.replace(older, slot);
        slot
    }

    /// Releases all files that are to be removed on this occasion. Async-signal-safe.
    pub(super) fn remove_all(&self, occasion: RemoveOn) {
        let mut next = self.newest.get();
        while let Some(slot) = next {
            // A claim stays claimed, so that the guard leaves the file alone from now on.
            if slot.removal.try_claim(occasion) {
                // SAFETY: stored by `publish`, which happens before the claim. The handles keep the file
                // where it is until they have claimed the removal themselves.
                let held = unsafe { &*slot.held.load(Ordering::Relaxed) };
                let _ = held.release();
            }
            next = slot.older;
        }
    }
}
