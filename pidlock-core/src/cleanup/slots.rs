//! Where holds are kept, so that a signal handler can read them: nothing here is ever freed or
//! moved, and reading takes no lock.

#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::arrivals::{Link, Linked};
use super::claims::{Occasions, Turn};
use super::process::Process;
use super::removal;
use crate::hold::Hold;

/// A place for one hold.
pub(super) struct Slot {
    pub(super) turn: Turn,
    /// How many shares of the hold are out.
    pub(super) shares: AtomicU32,
    /// The next one in the chain that it is in. For who has the registry only, or has it alone.
    next: Link<Self>,
    /// There is one while shares of it are out, and for the process that published it as long as its
    /// turn says so.
    hold: UnsafeCell<MaybeUninit<Entered>>,
}

struct Entered {
    hold: Hold,
    process: &'static Process,
}

impl Linked for Slot {
    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

// SAFETY: `turn` and `shares` are atomics. `next` is only touched by who has locked the registry that
// the slot belongs to, or took it out of all chains. `hold` is only touched as the methods below demand
// of their callers, and what is in it may be looked at and taken by any thread, as is checked here.
unsafe impl Sync for Slot {}

const _: () = {
    const fn goes_to_any_thread<T: Send + Sync>() {}
    goes_to_any_thread::<Hold>();
    goes_to_any_thread::<Process>();
};

impl Slot {
    fn new() -> Self {
        Self {
            turn: Turn::new(),
            shares: AtomicU32::new(0),
            next: Cell::new(None),
            hold: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Puts a hold of this process into it.
    ///
    /// # Safety
    ///
    /// It is free, and the caller took it off the list of those.
    #[inline]
    pub(super) unsafe fn fill(&self, process: &'static Process, hold: Hold) {
        let place = self.hold.get().cast::<Entered>();
        // SAFETY: nobody else looks at a slot that is on no list and not published, and there is nothing
        // in it that would have to be dropped.
        unsafe { place.write(Entered { hold, process }) };
    }

    /// One share less. Whether it was the last.
    #[inline]
    pub(super) fn give_up_share(&self) -> bool {
        self.shares.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The hold in it.
    ///
    /// # Safety
    ///
    /// There is one, and nobody takes or changes it meanwhile: the caller has a share of it, or the
    /// registry and found it in its chains, or has claimed its turn.
    #[inline]
    pub(super) unsafe fn hold(&self) -> &Hold {
        // SAFETY: as the caller promises.
        unsafe { &(*self.hold.get().cast::<Entered>()).hold }
    }

    /// The process that put it there.
    ///
    /// # Safety
    ///
    /// As for `hold`.
    #[inline]
    pub(super) unsafe fn process(&self) -> &'static Process {
        // SAFETY: as the caller promises.
        unsafe { (*self.hold.get().cast::<Entered>()).process }
    }

    /// The same hold, to be changed.
    ///
    /// # Safety
    ///
    /// There is one, and nobody looks at it meanwhile: no share of it is out, it is off the registry's
    /// chains, and the caller has claimed its turn or this is no process that looks at turns.
    #[expect(clippy::mut_from_ref, reason = "the caller is alone with it")]
    #[inline]
    pub(super) unsafe fn hold_mut(&self) -> &mut Hold {
        // SAFETY: as the caller promises.
        unsafe { &mut (*self.hold.get().cast::<Entered>()).hold }
    }

    /// Drops it.
    ///
    /// # Safety
    ///
    /// As for `hold_mut`; and there is none then.
    #[inline]
    pub(super) unsafe fn empty(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.hold.get().cast::<Entered>().drop_in_place() }
    }
}

/// Slots come in chunks, each as large as all before it.
struct Chunk {
    slots: Box<[Slot]>,
    older: *const Chunk,
}

/// How many slots the first chunk has.
const FIRST: usize = 4;

/// All slots of a process.
pub(super) struct Slots {
    /// More than this few programs need.
    pub(super) first: Slot,
    newest: AtomicPtr<Chunk>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            first: Slot::new(),
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Removes what is to be removed on this occasion. Async-signal-safe.
    pub(super) fn sweep(&self, occasion: Occasions) {
        sweep(slice::from_ref(&self.first), occasion);
        let mut chunk: *const Chunk = self.newest.load(Ordering::Acquire);
        // SAFETY: a chunk is linked once it is complete, and never freed.
        while let Some(chunk_ref) = unsafe { chunk.as_ref() } {
            sweep(&chunk_ref.slots, occasion);
            chunk = chunk_ref.older;
        }
    }

    /// More of them. For who has the registry only.
    #[cold]
    pub(super) fn grow(&self) -> &'static [Slot] {
        let newest = self.newest.load(Ordering::Relaxed);
        // SAFETY: as in `sweep`.
        let len = unsafe { newest.as_ref() }.map_or(FIRST, |newest| newest.slots.len() * 2);
        let chunk: &'static Chunk = Box::leak(Box::new(Chunk {
            slots: (0..len).map(|_| Slot::new()).collect(),
            older: newest,
        }));
        self.newest
            .store(ptr::from_ref(chunk).cast_mut(), Ordering::Release);
        &chunk.slots
    }
}

fn sweep(slots: &[Slot], occasion: Occasions) {
    for slot in slots {
        if slot.turn.claim(occasion) {
            // SAFETY: it was published, and its turn is claimed.
            removal::remove(unsafe { slot.hold() }, occasion);
        }
        // Stays claimed: its guard finds that it was beaten, and keeps the descriptor open, which others
        // may be using by number.
    }
}
