//! One instance of a program at a time on a machine, with a pidfile that other tools can read.
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! use pidlock_core::pidfile;
//!
//! #[pidfile("my_app")]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     println!("this is the only running instance");
//!     Ok(())
//! }
//! ```
//!
//! While `main` runs, `my_app.pid` contains its PID, for `kill`, monitoring and service managers. A
//! second start fails at once with `pidfile '/run/user/1000/my_app.pid' already locked by PID 12345`.
//! After a crash, the next start takes the stale file over. Without the attribute:
//!
//! ```
//! use pidlock_core::{PidFile, PidFileError};
//!
//! fn main() -> Result<(), PidFileError> {
//!     let guard = PidFile::new("my_tool").temp_dir(true).acquire()?;
//!     println!("running as PID {}, see {}", guard.pid(), guard.path().display());
//!     guard.close() // or drop it; `close` also reports errors
//! }
//! ```
//!
//! # Where to go from here
//!
//! The [`guide`] has a page for each question: [which of these do I need](guide#which-of-these-do-i-need),
//! [recipes by task](guide::recipes), [the directory](guide::directories) in which all starts meet,
//! [systemd and others](guide::services), [error messages](guide::troubleshooting), and
//! [why deleting a lock file is safe here](guide::safe_removal).
//!
//! | to | use |
//! |---|---|
//! | run `main` or a function once at a time | [`#[pidfile]`](macro@pidfile) |
//! | acquire a file, and decide what a refused start does | [`PidFile::acquire`], [`PidFileError::is_contention`] |
//! | wait for the holder | [`PidFile::timeout`], [`PidFile::wait`], [`PidFile::acquire_async`] |
//! | see whether it runs | [`PidFile::status`] |
//! | stop it, or take its place | [`PidFile::stop`], [`PidFile::replace`], [`PidFile::holder`] |
//! | fork into the background | [`PidFile::reserve`], [`Reservation::commit`] |
//! | start a new version without a gap | [`PidGuard::hand_over`] |
//! | notice that the file was removed | [`PidGuard::verify`], [`PidGuard::watch`] |
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
//! delete or replace the file, and another instance can then start; [`PidGuard::verify`] and
//! [`PidGuard::watch`] detect this: see [`guide::limits`]. [Other tools](guide::other_tools) that lock without
//! checking the path again can lock a file that was just removed; [`PidFile::keep`] prevents that.
//!
//! # Clean-up
//!
//! The pidfile is removed when the guard is dropped, on [`std::process::exit`], and on SIGTERM, SIGINT
//! and SIGHUP unless the program handles them; the process then terminates by that signal as usual
//! ([`OnSignal`]). On Windows the end by Ctrl-C counts as an exit ([`PidFile::at_exit`]). After an
//! abort or SIGKILL the next start takes the file over. A child that the process forks and that
//! outlives it keeps the lock and the file.
//!
//! # Features
//!
//! - `macros` (default): the `#[pidfile]` attribute.
//! - `tracing`: events for the crate `tracing`, with the fields `path`, `pid` and `reason`. At the level
//!   `DEBUG`: waiting, refused, acquired, released. At `INFO`: a stale file is taken over. At `WARN`: the
//!   file was removed or replaced, or could not be released.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]
// The links to the guide, and to what exists on Unix only.
#![cfg_attr(
    not(all(unix, feature = "macros")),
    allow(rustdoc::broken_intra_doc_links)
)]

mod alarm;
mod cleanup;
mod error;
mod guard;
#[cfg(unix)]
mod hand_over;
mod held;
mod holder;
mod liveness;
mod location;
pub mod on_error;
mod pidfile;
mod protocol;
mod queue;
mod record;
#[cfg(unix)]
mod reservation;
mod settings;
mod status;
mod sys;
mod trace;
mod wait;
mod watch;
mod windows_names;

pub use error::PidFileError;
pub use guard::PidGuard;
#[cfg(unix)]
pub use hand_over::HandOverError;
pub use holder::Holder;
pub use pidfile::PidFile;
#[cfg(feature = "macros")]
pub use pidlock_macros::pidfile;
#[cfg(unix)]
pub use reservation::Reservation;
pub use settings::OnSignal;
pub use status::Status;
pub use wait::Acquire;
pub use watch::Watch;

#[cfg(all(doc, unix, feature = "macros"))]
#[cfg_attr(docsrs, doc(auto_cfg = false))]
pub mod guide;

#[doc(hidden)]
pub mod __private;
