//! The pidfiles that this process holds, and their removal when it ends without dropping the guards.
//!
//! From the bottom: `shutdown` decides, by atomics alone, when a signal may terminate the process and
//! which of guard, exit handler and signal handler removes a file. `slots` keeps held files where a
//! signal handler can read them, `table` finds them, `process` is the state that each process has
//! once. `signal` and `exit` are the two handlers, `critical` defers signals, `handle` is what a guard
//! has.

mod critical;
mod exit;
mod handle;
mod process;
#[cfg_attr(not(unix), expect(dead_code, reason = "no handler uses it"))]
mod shutdown;
mod slots;
mod table;

#[cfg(unix)]
mod signal;
#[cfg(unix)]
pub(crate) use signal::install_handlers;

#[cfg(not(unix))]
pub(crate) fn install_handlers(_: crate::settings::OnSignal) {}

pub(crate) use critical::CriticalSection;
pub(crate) use handle::Handle;
pub(crate) use table::Table;

/// What `shutdown` is written with. Its model test supplies other ones.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};
}
