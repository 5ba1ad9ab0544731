//! A section in which a pidfile is created or removed. Termination signals are deferred to its end.

use std::thread;
use std::time::Duration;

use super::process::ProcessData;
use crate::sys::ProcessInstance;

pub(crate) struct CriticalSection {
    pub(super) process: &'static ProcessData,
}

impl CriticalSection {
    /// Enters one. They do not nest. Never returns if a signal is about to terminate the process.
    pub(crate) fn enter(process: ProcessInstance) -> Self {
        let process = ProcessData::get(process);
        if !process.shutdown.enter() {
            // Not `thread::park`, which needs thread-local storage, and that is gone when a guard is
            // dropped by the last destructor of a thread.
            loop {
                thread::sleep(Duration::from_secs(60));
            }
        }
        Self { process }
    }

    /// Returns `true` if any thread of the process is inside one.
    pub(crate) fn any_in_progress(process: ProcessInstance) -> bool {
        ProcessData::get(process).shutdown.in_progress()
    }
}

impl Drop for CriticalSection {
    fn drop(&mut self) {
        self.process.leave_section();
    }
}
