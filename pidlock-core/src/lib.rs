//! Single-instance locking with pidfiles.
//!
//! Ensures that only one instance of a program runs at a time on a machine.
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
//! While `main` runs, `my_app.pid` contains its PID, for `kill`, monitoring and service managers. A
//! second start fails at once with `pidfile '/tmp/my_app.pid' already locked by PID 12345`. After a
//! crash, the next start takes the stale file over. Without the attribute, use [`PidFile::acquire`],
//! which returns a [`PidGuard`].
//!
//! # Guarantees
//!
//! The kernel lock is authoritative; the PID in the file is only a hint. The lock is released when the
//! process exits, for whatever reason, so a crash never prevents a restart and a reused PID is
//! harmless. After locking, the path is checked again, so when starts race with an exit exactly one
//! succeeds.
//!
//! The lock is *advisory*: it excludes only programs that take it, such as those that use this crate,
//! Python's `pid`, BSD's `pidfile(3)` and `flock(1)`. A process with sufficient permissions can still
//! delete or replace the file, and another instance can then start; [`PidGuard::verify`] detects
//! this. Programs that lock without checking the path again (Python's `pid`, `flock(1)`) can lock a
//! file that was just removed; [`PidFile::keep`] prevents that.
//!
//! # Clean-up
//!
//! The pidfile is removed when the guard is dropped, on [`std::process::exit`], and on SIGTERM, SIGINT
//! and SIGHUP unless the program handles them; the process then terminates by that signal as usual
//! ([`OnSignal`]). After an abort or SIGKILL the next start takes the file over. A child that the
//! process forks and that outlives it keeps the lock and the file. Daemons that fork use
//! `PidFile::reserve`.
//!
//! # Network file systems
//!
//! The lock is between processes on one machine. Some network file systems extend it across machines,
//! but the recorded PID is meaningful only on the holder's.
//!
//! # Features
//!
//! - `macros` (default): the `#[pidfile]` attribute.

mod cleanup;
mod error;
mod guard;
mod held;
mod liveness;
mod location;
pub mod on_error;
mod pidfile;
mod protocol;
mod record;
#[cfg(unix)]
mod reservation;
mod settings;
mod status;
mod sys;

pub use error::PidFileError;
pub use guard::PidGuard;
pub use pidfile::PidFile;
#[cfg(feature = "macros")]
pub use pidlock_macros::pidfile;
#[cfg(unix)]
pub use reservation::Reservation;
pub use settings::OnSignal;
pub use status::Status;

#[doc(hidden)]
pub mod __private;
