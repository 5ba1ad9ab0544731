//! What is to be removed, where a signal handler can read it: nothing here is ever freed or moved,
//! and reading takes no lock.

#![allow(unsafe_code)]

use std::array;
use std::cell::UnsafeCell;
use std::fmt;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread;

use super::claims::{Claims, Occasions, Turn};
use super::{exit, removal, signal};
use crate::plan::{OnSignal, Plan};
use crate::sys::{FullPath, Identity, PerProcess, ThisProcess};

/// A forked child has its own, empty: what its parent left is not its to remove.
static SLOTS: PerProcess<Slots> = PerProcess::new();

pub(super) struct Slots {
    pub(super) claims: Claims,
    /// A daemonizer may set all signals back to their defaults between its parent's hold and its
    /// own, so each process installs once for itself.
    installed: AtomicBool,
    newest: AtomicPtr<Chunk>,
}

/// The slots of this process that nothing is published in. For those who publish and withdraw only,
/// one at a time; no handler looks at it.
#[derive(Default)]
pub(crate) struct FreeSlots(Vec<&'static Slot>);

/// Slots come in chunks, so that 10,000 of them are 313 steps for the one who looks for those in
/// use, and finding a free one is always one step.
const CHUNK: usize = 32;

struct Chunk {
    slots: [Slot; CHUNK],
    older: *const Chunk,
}

struct Slot {
    turn: Turn,
    will: UnsafeCell<Option<Will>>,
}

// SAFETY: `will` is only touched by who took the slot off the free list and has not published it
// yet, or by who has claimed it since (`Turn::claim` lets one do so); both hand it on by the
// release-acquire pairs of `Turn`.
unsafe impl Sync for Slot {}

/// How to remove one pidfile.
#[derive(Debug)]
pub(super) struct Will {
    pub(super) path: FullPath,
    pub(super) fd: RawFd,
    pub(super) id: Identity,
    pub(super) mark: Option<u32>,
    pub(super) keep: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            claims: Claims::new(),
            installed: AtomicBool::new(false),
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl Slots {
    /// This process's, if it has any. Takes no lock, allocates nothing and stores nothing.
    pub(super) fn of_this_process() -> Option<&'static Self> {
        SLOTS.peek()
    }

    /// Removes what is to be removed on this occasion. Async-signal-safe.
    pub(super) fn sweep(&self, occasion: Occasions) {
        let mut chunk: *const Chunk = self.newest.load(Ordering::Acquire);
        // SAFETY: a chunk is linked once it is complete, and never freed.
        while let Some(chunk_ref) = unsafe { chunk.as_ref() } {
            for slot in &chunk_ref.slots {
                if !slot.turn.claim(occasion) {
                    continue;
                }
                // SAFETY: claimed, so it is ours alone; whoever published it is done with it.
                if let Some(will) = unsafe { &*slot.will.get() } {
                    removal::remove(will, occasion);
                }
                // Stays claimed: its guard finds that it was beaten, and keeps the descriptor
                // open, which others may be using by number.
            }
            chunk = chunk_ref.older;
        }
    }

    /// Ends a claim; dies of a signal that waited for this. Async-signal-safe.
    pub(super) fn end_claim(&self) {
        if let Some(noted) = self.claims.end() {
            // Nobody is in the middle of anything: whatever there is to be removed is published.
            self.sweep(Occasions::SIGNAL);
            signal::die(noted);
        }
    }

    #[cold]
    fn new_slots(&self, free: &mut FreeSlots) -> &'static Slot {
        let chunk: &'static Chunk = Box::leak(Box::new(Chunk {
            slots: array::from_fn(|_| Slot {
                turn: Turn::new(),
                will: UnsafeCell::new(None),
            }),
            older: self.newest.load(Ordering::Relaxed),
        }));
        // There is one list of free slots, and who has it is alone here.
        self.newest
            .store(ptr::from_ref(chunk).cast_mut(), Ordering::Release);
        let [first, rest @ ..] = &chunk.slots;
        free.0.extend(rest);
        first
    }
}

/// A stretch in which files are made or removed, and a signal waits for its end.
pub(crate) struct Claim {
    slots: &'static Slots,
}

impl Claim {
    /// Begins one; they do not nest. If a signal is about to end the process, never returns.
    pub(crate) fn begin(me: ThisProcess) -> Self {
        let slots = SLOTS.get(me);
        while !slots.claims.begin() {
            // Microseconds before the end: there is nothing that may still be done.
            thread::park();
        }
        Self { slots }
    }

    /// From now on a signal that comes finds a handler that waits for the end of this: to be called
    /// before a file is made or written to.
    pub(crate) fn arm(&self, plan: &Plan) {
        match plan.on_signal {
            OnSignal::Ignore => {}
            OnSignal::Force => signal::install(OnSignal::Force),
            OnSignal::Auto if self.slots.installed.load(Ordering::Acquire) => {}
            OnSignal::Auto => {
                signal::install(OnSignal::Auto);
                // Not before: another thread would go on without. Twice does no harm.
                self.slots.installed.store(true, Ordering::Release);
            }
        }
    }

    /// Whether there is nothing left to do for that.
    pub(crate) fn is_armed(&self, plan: &Plan) -> bool {
        match plan.on_signal {
            OnSignal::Ignore => true,
            OnSignal::Force => false,
            OnSignal::Auto => self.slots.installed.load(Ordering::Acquire),
        }
    }

    /// The same once more, for a process that may have set all signals back to their defaults since,
    /// as daemonizers do.
    pub(crate) fn arm_anew(&self, plan: &Plan) {
        if plan.on_signal != OnSignal::Ignore {
            signal::install(plan.on_signal);
        }
    }

    /// From now on the file is removed on the occasions that the plan names; `None` if it names
    /// none.
    pub(crate) fn publish(
        &self,
        free: &mut FreeSlots,
        plan: &Plan,
        file: &File,
        id: Identity,
        mark: Option<u32>,
    ) -> Option<Published> {
        let on_signal = plan.on_signal != OnSignal::Ignore;
        if !on_signal && !plan.at_exit {
            return None;
        }
        let slot = free.0.pop().unwrap_or_else(|| self.slots.new_slots(free));
        // SAFETY: off the free list and not yet published: nobody else looks at it.
        unsafe {
            *slot.will.get() = Some(Will {
                path: plan.path.clone(),
                fd: file.as_raw_fd(),
                id,
                mark,
                keep: plan.keep,
            })
        };
        slot.turn.publish(Occasions::new(on_signal, plan.at_exit));
        if plan.at_exit {
            exit::register();
        }
        Some(Published { slot })
    }

    /// Whether it is the caller who removes the file. If not, somebody else has, and neither the
    /// descriptor nor the path are to be touched any more.
    pub(crate) fn withdraw(&self, published: &Published) -> bool {
        published.slot.turn.claim(Occasions::ANY)
    }

    /// The file is removed; what was published is forgotten.
    pub(crate) fn forget(&self, published: &Published, free: &mut FreeSlots) {
        let slot = published.slot;
        // SAFETY: the caller has claimed it (`withdraw`), so it is the caller's alone.
        unsafe { *slot.will.get() = None };
        slot.turn.done();
        free.0.push(slot);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.slots.end_claim();
    }
}

/// A file that is removed should the guard not come to it.
pub(crate) struct Published {
    slot: &'static Slot,
}

impl fmt::Debug for FreeSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FreeSlots").field(&self.0.len()).finish()
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").finish_non_exhaustive()
    }
}
