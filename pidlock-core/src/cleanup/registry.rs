//! The pidfiles that this process holds, by which file it is.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem;
use std::ptr;

use super::arrivals::{Link, Linked};
use super::process::Process;
use super::slots::Slot;
use crate::hold::Hold;
use crate::sys::Identity;

/// The table, which one has at a time. Looking a hold up and taking a share of it, and the last
/// share's leaving, happen while one has it, so that nobody gets a share of what is just being given
/// back.
///
/// It is chained through the slots, so that a hold that comes or goes asks for no memory.
#[derive(Default)]
pub(crate) struct Registry {
    /// As many as there may be holds before it grows: none, or a power of two.
    chains: Vec<Link<Slot>>,
    holds: usize,
    first_is_taken: bool,
    free: Link<Slot>,
}

/// How many chains there are at first.
const FIRST: usize = 4;

impl Registry {
    /// Whether this process holds this file. A hold whose descriptor was closed behind our back
    /// does not count: its lock is gone.
    pub(crate) fn holds(&self, id: Identity) -> bool {
        self.find(id).is_some()
    }

    pub(super) fn find(&self, id: Identity) -> Option<&'static Slot> {
        let mut next = self.chain(id)?.get();
        while let Some(slot) = next {
            let hold = hold_in(slot);
            if hold.id == id && hold.is_sound() {
                return Some(slot);
            }
            next = slot.next().get();
        }
        None
    }

    /// One of the process's slots that nothing is in.
    pub(super) fn take_free(&mut self, process: &'static Process) -> &'static Slot {
        if !mem::replace(&mut self.first_is_taken, true) {
            return &process.slots.first;
        }
        loop {
            if let Some(slot) = self.free.get() {
                self.free.set(slot.next().take());
                return slot;
            }
            (process.slots.grow().iter()).for_each(|slot| self.add_free(slot));
        }
    }

    #[inline]
    pub(super) fn add_free(&self, slot: &'static Slot) {
        slot.next().set(self.free.replace(Some(slot)));
    }

    /// Lets those in a chain be found.
    pub(super) fn let_in(&mut self, mut arrivals: Option<&'static Slot>) {
        while let Some(slot) = arrivals {
            arrivals = slot.next().take();
            if self.holds == self.chains.len() {
                self.grow();
            }
            self.holds += 1;
            self.link(slot);
        }
    }

    /// It is not to be found any more.
    pub(super) fn remove(&mut self, slot: &'static Slot, id: Identity) {
        let mut link = self.chain(id);
        while let Some((here, next)) = link.and_then(|link| Some((link, link.get()?))) {
            if ptr::eq(next, slot) {
                here.set(slot.next().take());
                self.holds -= 1;
                return;
            }
            link = Some(next.next());
        }
    }

    fn link(&self, slot: &'static Slot) {
        if let Some(chain) = self.chain(hold_in(slot).id) {
            slot.next().set(chain.replace(Some(slot)));
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.chains.len() * 2).max(FIRST);
        let old = mem::replace(
            &mut self.chains,
            (0..len).map(|_| Cell::new(None)).collect(),
        );
        for chain in old {
            let mut next = chain.get();
            while let Some(slot) = next {
                next = slot.next().take();
                self.link(slot);
            }
        }
    }

    /// Numbers that the kernel gave, spread over the chains. Without random keys: nobody gains by
    /// files that collide.
    #[inline]
    fn chain(&self, id: Identity) -> Option<&Link<Slot>> {
        // 2^64 divided by the golden ratio: neighbours land far apart (Knuth, The Art of Computer
        // Programming, volume 3, 6.4). The upper half, for inodes may come in steps of 256.
        let spread = (id.inode ^ id.device.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let last = self.chains.len().wrapping_sub(1);
        self.chains.get((spread >> 32) as usize & last)
    }
}

/// The hold of a slot in the chains.
fn hold_in(slot: &'static Slot) -> &'static Hold {
    // SAFETY: who asks has the registry; there is a hold in each slot in its chains, and in each that
    // comes into them, which nobody changes.
    unsafe { slot.hold() }
}
