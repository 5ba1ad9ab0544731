//! What this process holds, and the last will of each hold: what happens to the pidfile when the
//! program ends without dropping its guard.
//!
//! `claims.rs` decides who removes a file, so that exactly one does; `slots.rs` keeps the holds where
//! a signal handler can read them, `arrivals.rs` lets them come, and `registry.rs` finds them;
//! `claim.rs` is how others take part, `share.rs` what they get; `removal.rs` removes; `signal.rs` and
//! `exit.rs` are the two occasions.

mod arrivals;
mod claim;
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no handlers"))]
mod claims;
mod process;
mod registry;
mod share;
mod slots;
pub(crate) use claim::Claim;
pub(crate) use registry::Registry;
pub(crate) use share::Share;

#[cfg(unix)]
mod exit;
#[cfg(unix)]
mod removal;
#[cfg(unix)]
mod signal;

#[cfg(not(unix))]
mod none;
#[cfg(not(unix))]
use none::{exit, removal, signal};

/// What `claims.rs` and `arrivals.rs` are written with; their exhaustive tests supply others.
mod atomic {
    pub(super) use std::cell::Cell;
    pub(super) use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
}
