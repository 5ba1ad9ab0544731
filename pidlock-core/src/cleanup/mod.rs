//! The guard's last will: what happens to the pidfile when the program ends without dropping its
//! guard.
//!
//! `claims.rs` decides who removes a file, so that exactly one does; `slots.rs` keeps what is to
//! be removed where a signal handler can read it; `removal.rs` removes; `signal.rs` and `exit.rs`
//! are the two occasions.

#[cfg(unix)]
mod claims;
#[cfg(unix)]
mod exit;
#[cfg(unix)]
mod removal;
#[cfg(unix)]
mod signal;
#[cfg(unix)]
mod slots;
#[cfg(unix)]
pub(crate) use slots::{Claim, FreeSlots, Published};

#[cfg(not(unix))]
mod none;
#[cfg(not(unix))]
pub(crate) use none::{Claim, FreeSlots, Published};

/// The atomics that `claims.rs` is written with; its exhaustive test supplies others.
#[cfg(unix)]
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};
}
