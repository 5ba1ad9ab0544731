//! What there is once in each process.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::claims::{Claims, Occasions};
use super::registry::Registry;
use super::signal;
use super::slots::Slots;
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
    registry: Mutex<Registry>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            claims: Claims::new(),
            slots: Slots::default(),
            installed: AtomicBool::new(false),
            registry: Mutex::default(),
        }
    }
}

impl Process {
    pub(super) fn get(me: ThisProcess) -> &'static Self {
        HERE.get(me)
    }

    /// This process's, if it has any. Takes no lock, allocates nothing and stores nothing.
    #[cfg(unix)]
    pub(super) fn peek() -> Option<&'static Self> {
        HERE.peek()
    }

    pub(super) fn registry(&'static self) -> MutexGuard<'static, Registry> {
        // No user code runs while somebody has it, so a poisoned table is still a whole one.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a claim; dies of a signal that waited for this. Async-signal-safe.
    pub(super) fn end_claim(&self) {
        if let Some(noted) = self.claims.end() {
            // Nobody is in the middle of anything: whatever there is to be removed is published.
            self.slots.sweep(Occasions::SIGNAL);
            signal::die(noted);
        }
    }
}

impl Registry {
    /// The table of process `me`.
    pub(crate) fn of(me: ThisProcess) -> MutexGuard<'static, Self> {
        Process::get(me).registry()
    }
}
