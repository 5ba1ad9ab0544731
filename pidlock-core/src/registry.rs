//! The pidfiles that this process holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::cleanup::{Claim, FreeSlots};
use crate::error::PidFileError;
use crate::hold::Hold;
use crate::plan::Plan;
use crate::sys::{Identity, PerProcess, ThisProcess};

static HOLDS: PerProcess<Mutex<Registry>> = PerProcess::new();

/// The table, locked. Looking a hold up and taking part in it, and the last one's leaving, happen
/// under one mutex, so that nobody gets a share of what is just being given back.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    holds: HashMap<Identity, Shared, BuildHasherDefault<Spread>>,
    free: FreeSlots,
}

/// Spreads numbers that the kernel gave over the table. Without random keys: nobody gains by files
/// that collide.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours land far apart (Knuth, The Art of Computer
        // Programming, volume 3, 6.4).
        self.0 = (self.0.rotate_left(32) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // The low bits depend on the number's low bits alone, and inodes may come in steps of 256.
        self.0 ^ (self.0 >> 32)
    }
}

/// A hold and how many handles to it are out. The table itself keeps no hold alive: in a forked
/// child nobody ever looks at it again, and the child's copy of the descriptor must be closed
/// with the child's last handle.
#[derive(Debug)]
struct Shared {
    hold: Weak<Hold>,
    handles: usize,
}

impl Registry {
    /// The table of process `me`. A forked child has one of its own: it holds nothing, and never
    /// waits for a mutex that some thread of its parent had locked.
    pub(crate) fn of(me: ThisProcess) -> MutexGuard<'static, Registry> {
        // No user code runs under the mutex, so a poisoned table is still a whole one.
        HOLDS.get(me).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process holds this file. A hold whose descriptor was closed behind our back
    /// does not count: its lock is gone.
    pub(crate) fn holds(&self, id: Identity) -> bool {
        self.holds
            .get(&id)
            .and_then(|shared| shared.hold.upgrade())
            .is_some_and(|hold| hold.is_sound())
    }

    /// One more handle to the hold of this file, if this process has it.
    pub(crate) fn share(&mut self, id: Identity) -> Option<Arc<Hold>> {
        let shared = self.holds.get_mut(&id)?;
        let hold = shared.hold.upgrade().filter(|hold| hold.is_sound())?;
        shared.handles += 1;
        Some(hold)
    }

    /// The first handle to a new hold, which is removed on the occasions that the plan names from now
    /// on.
    pub(crate) fn enter(&mut self, mut hold: Hold, plan: &Plan, claim: &Claim) -> Arc<Hold> {
        hold.publish(plan, claim, &mut self.free);
        let id = hold.id();
        let hold = Arc::new(hold);
        self.holds.insert(
            id,
            Shared {
                hold: Arc::downgrade(&hold),
                handles: 1,
            },
        );
        hold
    }
}

/// Gives one handle back; the last one releases the file, whatever the order.
pub(crate) fn leave(hold: &Arc<Hold>) -> Result<(), PidFileError> {
    if !hold.owner().is_current() {
        // A forked child of the owner: closing is all that is its to do, and dropping does it.
        return Ok(());
    }
    let claim = Claim::begin(hold.owner());
    let mut registry = Registry::of(hold.owner());
    let registry = &mut *registry;
    // Where this hold had lost its descriptor, another may have taken its place.
    if let Entry::Occupied(mut entry) = registry.holds.entry(hold.id()) {
        let shared = entry.get_mut();
        if shared.hold.as_ptr() == Arc::as_ptr(hold) {
            shared.handles -= 1;
            if shared.handles > 0 {
                return Ok(());
            }
            entry.remove();
        }
    }
    hold.release(&claim, &mut registry.free)
}
