//! `exit`: called by `process::exit`, and by the return from `main` while a guard is in a static,
//! or was leaked.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use super::claims::Occasions;
use super::process::Process;

/// Has the pidfiles removed when the process exits. Once is enough.
pub(super) fn register() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the handler is a function of this program, and unwinds into nobody. Where there is
    // no memory for it, the file stays, and the next start takes it over.
    unsafe { libc::atexit(at_exit) };
    // Not before: another thread would go on without. Twice does no harm.
    REGISTERED.store(true, Ordering::Release);
}

/// Uses only what a signal handler may: some programs call `exit` from one.
extern "C" fn at_exit() {
    // A forked child that exits has nothing to remove.
    let Some(process) = Process::peek() else {
        return;
    };
    // Not kept waiting by a signal that waits: the thread that it waits for may be the very one
    // that has called exit, from another handler.
    if process.claims.begin_anyway() {
        process.slots.sweep(Occasions::EXIT);
        process.end_claim();
    }
}
