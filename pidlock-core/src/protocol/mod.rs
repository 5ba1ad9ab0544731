//! How a pidfile is acquired.
//!
//! The kernel lock is authoritative and the recorded PID a hint. A start succeeds when it holds the
//! lock **and** the path still refers to the locked file. The second condition is what makes it safe
//! to remove the file on release: a start that opened the file before it was removed finds that it
//! has locked a file without a name, and tries again.

pub(crate) mod acquire;
#[cfg(unix)]
pub(crate) mod adopt;
pub(crate) mod contention;
pub(crate) mod lockless;
pub(crate) mod open;
