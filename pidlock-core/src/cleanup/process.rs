//! State that exists once per process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shutdown::{RemoveOn, Shutdown};
use super::slots::Slots;
use super::table::Table;
use crate::sys::{self, PerProcess, ProcessInstance};

/// A forked child starts with an empty one: its parent's files are not its to remove, and it must not
/// wait for a mutex that a thread of its parent had locked.
static STATE: PerProcess<ProcessData> = PerProcess::new();

#[derive(Default)]
pub(super) struct ProcessData {
    pub(super) shutdown: Shutdown,
    pub(super) slots: Slots,
    table: Mutex<Table>,
}

impl ProcessData {
    pub(super) fn get(process: ProcessInstance) -> &'static Self {
        STATE.get(process, Self::default)
    }

    /// The state of the calling process, if it has any. Async-signal-safe.
    pub(super) fn peek() -> Option<&'static Self> {
        STATE.peek()
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // No user code runs under the lock, so a poisoned table is consistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a critical section, and terminates the process if a signal waited for that.
    /// Async-signal-safe.
    pub(super) fn leave_section(&self) {
        if let Some(signal) = self.shutdown.leave() {
            // No section is in progress, so every file that exists is published.
            self.slots.remove_all(RemoveOn::SIGNAL);
            sys::terminate_by(signal);
        }
    }
}

impl Table {
    /// The table of this process, locked.
    pub(crate) fn of(process: ProcessInstance) -> MutexGuard<'static, Self> {
        ProcessData::get(process).table()
    }
}
