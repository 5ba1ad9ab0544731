//! What there is once in each process.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::arrivals::{Arrivals, Spare};
use super::claims::{Claims, Occasions};
use super::registry::Registry;
use super::signal;
use super::slots::{Slot, Slots};
use crate::record::Text;
use crate::sys::{PerProcess, ThisProcess};

/// A forked child has its own, empty: what its parent holds is not its to remove, and it never waits
/// for a mutex that some thread of its parent had locked.
static HERE: PerProcess<Process> = PerProcess::new();

pub(super) struct Process {
    pub(super) claims: Claims,
    pub(super) slots: Slots,
    /// Whether the signal handlers are. A daemonizer may set all signals back to their defaults
    /// between its parent's hold and its own, so each process installs once for itself.
    pub(super) installed: AtomicBool,
    /// What its pidfiles say.
    pub(super) text: Text,
    /// Holds that the registry does not know of yet.
    pub(super) arrivals: Arrivals<Slot>,
    pub(super) spare: Spare<Slot>,
    registry: Mutex<Registry>,
}

impl Process {
    #[inline(never)] // once in each process
    fn new(me: ThisProcess) -> Self {
        Self {
            claims: Claims::new(),
            slots: Slots::new(),
            installed: AtomicBool::new(false),
            text: Text::of(me.pid()),
            arrivals: Arrivals::new(),
            spare: Spare::new(),
            registry: Mutex::default(),
        }
    }

    #[inline]
    pub(super) fn get(me: ThisProcess) -> &'static Self {
        HERE.get(me, || Self::new(me))
    }

    /// This process's, if it has any. Takes no lock, allocates nothing and stores nothing.
    #[cfg(unix)]
    pub(super) fn peek() -> Option<&'static Self> {
        HERE.peek()
    }

    /// The table of what this process holds, with all that have come.
    pub(super) fn registry(&'static self) -> MutexGuard<'static, Registry> {
        let mut registry = self.registry_without_arrivals();
        registry.let_in(self.arrivals.take_all());
        registry
    }

    #[inline]
    pub(super) fn registry_without_arrivals(&'static self) -> MutexGuard<'static, Registry> {
        // No user code runs while somebody has it, so a poisoned table is still a whole one.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot that nothing is in.
    #[inline]
    pub(super) fn free_slot(&'static self) -> &'static Slot {
        self.spare.take().unwrap_or_else(|| self.another_slot())
    }

    #[inline(never)] // mostly once
    fn another_slot(&'static self) -> &'static Slot {
        self.registry().take_free(self)
    }

    /// Ends a claim; dies of a signal that waited for this. Async-signal-safe.
    #[inline]
    pub(super) fn end_claim(&self) {
        if let Some(noted) = self.claims.end() {
            self.end(noted);
        }
    }

    #[cold]
    fn end(&self, signal: i32) -> ! {
        // Nobody is in the middle of anything: whatever there is to be removed is published.
        self.slots.sweep(Occasions::SIGNAL);
        signal::die(signal)
    }
}

impl Registry {
    /// The table of process `me`.
    pub(crate) fn of(me: ThisProcess) -> MutexGuard<'static, Self> {
        Process::get(me).registry()
    }
}
