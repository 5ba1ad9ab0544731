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
//! With [`PidFile::timeout`] or [`PidFile::wait`] a start waits for the holder instead, and goes on as
//! soon as the holder is gone. [`PidFile::acquire_async`] does so on any async runtime.
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
//! [`PidGuard::watch`] detect this. Programs that lock without checking the path again (Python's `pid`, `flock(1)`) can lock a
//! file that was just removed; [`PidFile::keep`] prevents that.
//!
//! # Clean-up
//!
//! The pidfile is removed when the guard is dropped, on [`std::process::exit`], and on SIGTERM, SIGINT
//! and SIGHUP unless the program handles them; the process then terminates by that signal as usual
//! ([`OnSignal`]). After an abort or SIGKILL the next start takes the file over. A child that the
//! process forks and that outlives it keeps the lock and the file. Daemons that fork use
//! `PidFile::reserve`. A program that is upgraded while it runs uses `PidGuard::hand_over`.
//!
//! # Stopping and replacing
//!
//! The PID in the file is a hint, and may be another program's by now. [`PidFile::holder`] returns the
//! process only after it has confirmed that this process has the lock. `PidFile::stop` terminates it
//! and waits until the file is free, and `PidFile::replace` acquires the file then.
//!
//! # Network file systems
//!
//! The lock is between processes on one machine. Some network file systems extend it across machines,
//! but the recorded PID is meaningful only on the holder's.
//!
//! # Other tools
//!
//! Each of these is tested both ways: while a program with pidlock holds the file, and while the other
//! one does.
//!
//! | tool | what holds |
//! |---|---|
//! | Python `pid` 3.0.4 | each is refused while the other holds; across a release by pidlock only with [`keep`](PidFile::keep) |
//! | Python `filelock` 4 | each is refused while the other holds, across every release; it writes no PID |
//! | libbsd `pidfile_open` | each is refused while the other holds, across every release; asked for the holder's PID it returns it, but fails with `EINVAL` instead of `EEXIST`, because it does not expect a line feed |
//! | `flock(1)` | each is refused while the other holds; across a release by pidlock only with `keep`; it writes no PID |
//! | `pgrep`, `pkill -F FILE -L` | find the holder, and no process when there is none; their probes make no start fail |
//! | `start-stop-daemon --pidfile FILE` | `--start` starts nothing while a program with pidlock runs; `--status` and `--stop` (with `--exec`) work; a program that it started with `--make-pidfile` does not lock and refuses other starts as [`AlreadyRunning`](PidFileError::AlreadyRunning) |
//! | `lslocks` | shows the holder, its lock and the path |
//!
//! Python's `pid` and `flock(1)` lock the file without checking afterwards that the path still names it.
//! While pidlock releases the file they can lock the inode that was just unlinked, and run beside the
//! next instance. When `pid` exits later it removes that instance's file; [`PidGuard::verify`] and
//! [`PidGuard::close`] report that. Beside such programs use `keep`, which truncates the file instead of
//! removing it, and start all of them as one user, with a mode that lets this user write: a stale file
//! of another user, or one without write access, is replaced.
//!
//! # Coming from Python's `pid`
//!
//! With the same name and the default directory, or with the same path, a Python program with `pid`
//! 3.0.4 and a program with pidlock exclude each other.
//!
//! | Python | Rust |
//! |---|---|
//! | `@pidfile("name")` | `#[pidfile("name")]` |
//! | `with PidFile("name"):` | `let _guard = PidFile::new("name").acquire()?;` |
//! | `pidname`, `piddir` | `name`, `dir` |
//! | `enforce_dotpid_postfix` | `suffix` |
//! | `lock_pidfile` | `lock` |
//! | `chmod` | `mode`; `chmod=0`, which leaves the mode alone, has no counterpart |
//! | `uid`, `gid` (`-1`: unchanged) | `uid`, `gid` (omitted: unchanged) |
//! | `force_tmpdir` | `temp_dir` |
//! | `allow_samepid` | `reentrant` |
//! | `register_term_signal_handler="auto"`, `True`, `False` | `on_signal`: `OnSignal::Auto`, `Force`, `Off`, for SIGINT and SIGHUP too; the process terminates by the signal instead of exiting |
//! | `register_term_signal_handler=f` | install `f` yourself, before or after: it takes precedence |
//! | `register_atexit` | `at_exit` |
//! | `.create()`, `.close()` | [`PidFile::acquire`], [`PidGuard::close`] |
//! | `.filename`, `.pid` | [`PidFile::path`] or [`PidGuard::path`], [`PidGuard::pid`] |
//! | `.check()` | [`PidFile::status`] |
//! | `PID_CHECK_NOFILE`, `PID_CHECK_EMPTY` | [`Status::NoFile`], [`Status::Empty`] |
//! | `PID_CHECK_NOTRUNNING`, `PID_CHECK_SAMEPID` | [`Status::Stale`], [`Status::HeldBySelf`] |
//! | `.check()` raises | [`Status::RunningUnlocked`] or [`Status::Locked`] |
//! | `DEFAULT_PID_DIR`, `DEFAULT_CHMOD` | the directory in `PidFile::new("name").path()`, `0o644` |
//! | `PidFileAlreadyLockedError` | [`PidFileError::AlreadyLocked`] |
//! | `PidFileAlreadyRunningError` | [`PidFileError::AlreadyRunning`] |
//! | `PidFileUnreadableError` | [`PidFileError::Unreadable`] |
//! | `PidFileConfigurationError` | [`PidFileError::Configuration`] |
//! | `IOError` | [`PidFileError::Io`], or [`Untrusted`](PidFileError::Untrusted) for what is not a regular file |
//!
//! # Features
//!
//! - `macros` (default): the `#[pidfile]` attribute.
//! - `tracing`: events for the crate `tracing`, with the fields `path`, `pid` and `reason`. At the level
//!   `DEBUG`: waiting, refused, acquired, released. At `INFO`: a stale file is taken over. At `WARN`: the
//!   file was removed or replaced, or could not be released.

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
pub mod guide;

#[doc(hidden)]
pub mod __private;
