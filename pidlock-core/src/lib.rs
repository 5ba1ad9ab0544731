//! One instance of a program at a time, on one machine, however it starts and however it ends.
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use pidlock_core::pidfile;
//!
//! # fn serve() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
//! #[pidfile(name = "my_app", temp_dir = true)]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     serve()
//! }
//! # }
//! ```
//!
//! While `main` runs, a file `my_app.pid` holds its PID, for `kill $(cat ...)`, monitoring and
//! service managers. A second start ends at once with
//! `pidfile '/tmp/my_app.pid' already locked by PID 12345`, and a start after a crash takes over.
//! The same without the attribute is [`PidFile`], whose [`acquire`](PidFile::acquire) returns a
//! [`PidGuard`].
//!
//! # What the lock promises
//!
//! **The kernel's lock on the file is the truth; the text in it is a hint.** The lock ends with
//! the process, however that ends, so a crash leaves no program that cannot be started, and a
//! number that the system gave to somebody else since does no harm. After locking, it is checked
//! that the path still names the locked file, so that of starts that collide with an end exactly
//! one gets in.
//!
//! The lock is *advisory*. It excludes those who take it: programs that use this crate, Python's
//! `pid`, BSD's `pidfile(3)`, `flock(1)`. Nothing keeps somebody with the right to it from
//! deleting or replacing the file, whereupon another instance can start;
//! [`PidGuard::verify`] tells. Neighbours that lock without checking the path afterwards (Python's
//! `pid`, `flock(1)`) can lock the very file that a release has just removed;
//! [`PidFile::keep`] closes that gap.
//!
//! # However it ends
//!
//! The pidfile is removed when the guard is dropped, by return, `?` or a panic that unwinds; by
//! [`std::process::exit`]; and by SIGTERM, SIGINT and SIGHUP where the program does not handle them,
//! of which it then dies as it would have without us ([`OnSignal`]). Abort and SIGKILL leave it, and
//! the next start takes it over. A child that the holder forks neither removes the file nor frees
//! the lock. Daemons that fork see `PidFile::reserve`.
//!
//! # Between machines
//!
//! It is a lock between processes of one machine. A network file system may offer it between
//! machines, but then the PID in it means nothing to the others.
//!
//! # Features
//!
//! - `macros` (default): the attribute `#[pidfile]`. Without it, no procedural macro of ours is
//!   built.

mod acquire;
mod beside;
mod cleanup;
mod contention;
mod contents;
mod error;
mod guard;
mod hold;
mod location;
mod opening;
mod outcome;
mod owner;
mod pidfile;
mod plan;
mod record;
#[cfg(unix)]
mod reserve;
mod status;
mod sys;
mod trust;
mod unlocked;

pub use error::PidFileError;
pub use guard::PidGuard;
pub use pidfile::PidFile;
#[cfg(feature = "macros")]
pub use pidlock_macros::pidfile;
pub use plan::OnSignal;
#[cfg(unix)]
pub use reserve::Reservation;
pub use status::Status;

#[doc(hidden)]
pub mod __private;

/// Ready-made values for the key `on_error` of the attribute.
pub mod on_error {
    pub use crate::outcome::{exit, skip};
}
