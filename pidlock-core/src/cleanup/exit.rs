//! The exit handler, for `process::exit` and for the return from `main` with a guard in a static.

use std::sync::atomic::{AtomicBool, Ordering};

use super::process::ProcessData;
use super::shutdown::RemoveOn;
use crate::sys;

/// Registers the handler, once. Not with a `Once`: a child forked while another thread is inside would
/// wait for it for ever.
pub(super) fn register() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::AcqRel) {
        sys::register_exit_handler(at_exit);
    }
}

/// Async-signal-safe, because some programs call `exit` in a signal handler.
extern "C" fn at_exit() {
    // A forked child that exits has nothing to remove.
    let Some(process) = ProcessData::peek() else {
        return;
    };
    // Does not wait for a pending signal: the section that the signal waits for may be on this thread,
    // interrupted by the handler that called exit.
    if process.shutdown.enter_even_if_pending() {
        process.slots.remove_all(RemoveOn::EXIT);
        process.leave_section();
    }
}
