//! A section in which a pidfile is created or removed. Termination signals are deferred to its end.

#[cfg(unix)]
use std::cell::Cell;
use std::thread;
use std::time::Duration;

use super::process::ProcessState;
#[cfg(unix)]
use super::signal;
use crate::settings::OnSignal;
use crate::sys::ProcessInstance;

pub(crate) struct CriticalSection {
    pub(super) process: &'static ProcessState,
    #[cfg(unix)]
    has_handlers: Cell<bool>,
}

impl CriticalSection {
    /// Enters one. They do not nest. Never returns if a signal is about to terminate the process.
    pub(crate) fn enter(process: ProcessInstance) -> Self {
        let process = ProcessState::get(process);
        if !process.shutdown.enter() {
            wait_for_termination();
        }
        Self {
            process,
            #[cfg(unix)]
            has_handlers: Cell::new(false),
        }
    }

    /// Returns `true` if any thread of the process is inside one.
    pub(crate) fn any_in_progress(process: ProcessInstance) -> bool {
        ProcessState::get(process).shutdown.in_progress()
    }

    /// Installs the signal handlers where they are missing. Call it before a file is created or
    /// written. Each section looks anew: since the last one the program may have set a signal back to
    /// its default.
    pub(crate) fn install_handlers(&self, on_signal: OnSignal) {
        #[cfg(unix)]
        if !self.has_handlers.replace(true) {
            signal::install(on_signal);
        }
        #[cfg(not(unix))]
        let _ = on_signal;
    }
}

/// Sleeps, because `thread::park` needs thread-local storage, which is gone when a guard is dropped
/// by the last destructor of a thread.
fn wait_for_termination() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

impl Drop for CriticalSection {
    fn drop(&mut self) {
        self.process.leave_section();
    }
}
