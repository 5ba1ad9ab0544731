//! What an annotated function does when the lock is not acquired: values for the key `on_error` of
//! [`#[pidfile]`](macro@crate::pidfile#when-the-lock-is-unavailable).
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use pidlock_core::{on_error, pidfile};
//!
//! #[pidfile("my_app_skip", temp_dir = true, on_error = on_error::skip)]
//! fn rebuild_index() -> usize {
//!     42
//! }
//!
//! println!("{} entries", rebuild_index()); // 0, the default, while another process rebuilds it
//! # }
//! ```

use std::io::{self, Write as _};
use std::process::{self, ExitCode};

use crate::error::PidFileError;

/// For `on_error`: skips the call if another instance is running. Then the function returns its
/// default value, or `Ok` with the default value.
///
/// Any other error is not skipped, because the function might never run: a function that returns a
/// `Result` returns the error, and any other function panics.
///
/// # Examples
///
/// A job that cron starts every minute, and that may take longer:
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use pidlock_core::{on_error, pidfile};
///
/// #[pidfile("import", temp_dir = true, on_error = on_error::skip)]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // import
///     Ok(())
/// }
///
/// /// Returns the number of mails sent: 0 if another instance is sending them.
/// #[pidfile("send_mails", temp_dir = true, on_error = on_error::skip)]
/// fn send_mails() -> usize {
///     3
/// }
///
/// assert_eq!(send_mails(), 3);
/// # }
/// ```
///
/// # Panics
///
/// On every error except [contention](PidFileError::is_contention), if the function does not return
/// a `Result`.
#[track_caller]
#[must_use]
pub fn skip<R: Skip<Kind>, Kind>(error: PidFileError) -> R {
    R::skip(error)
}

/// Return types that [`skip`] serves. `Kind` says how, and keeps the two implementations apart.
#[diagnostic::on_unimplemented(
    message = "`on_error::skip` cannot return `{Self}`",
    label = "has no default value to return when the call is skipped",
    note = "`skip` serves a type that implements `Default`, and `Result<T, E>` where `T: Default` \
            and `E: From<PidFileError>`",
    note = "or say what to return: `on_error = |error| if error.is_contention() {{ .. }} else {{ .. }}`"
)]
#[doc(hidden)]
pub trait Skip<Kind> {
    #[track_caller]
    fn skip(error: PidFileError) -> Self;
}

/// Contention gives the default value.
#[doc(hidden)]
#[derive(Debug)]
pub enum Value {}

/// Contention gives `Ok` with the default value.
#[doc(hidden)]
#[derive(Debug)]
pub enum Success {}

#[diagnostic::do_not_recommend]
impl<T: Default> Skip<Value> for T {
    fn skip(error: PidFileError) -> Self {
        assert!(error.is_contention(), "{error}");
        T::default()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Default, E: From<PidFileError>> Skip<Success> for Result<T, E> {
    fn skip(error: PidFileError) -> Self {
        match error.is_contention() {
            true => Ok(T::default()),
            false => Err(error.into()),
        }
    }
}

/// For `on_error`: prints the message to stderr and exits with status 1.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use pidlock_core::pidfile;
///
/// #[pidfile("serve", temp_dir = true, on_error = pidlock_core::on_error::exit)]
/// fn serve() -> u16 {
///     8080
/// }
///
/// assert_eq!(serve(), 8080);
/// # }
/// ```
pub fn exit(error: PidFileError) -> ! {
    print(&error);
    process::exit(1)
}

/// Writes the message in one call, so that it is not interleaved, and ignores errors, because
/// `eprintln!` panics on a closed stderr.
fn print(error: &PidFileError) {
    let _ = io::stderr().write_all(format!("{error}\n").as_bytes());
}

/// Return types for which `#[pidfile]` knows what to return on refusal.
#[diagnostic::on_unimplemented(
    message = "a function that returns `{Self}` cannot say that its lock was refused",
    label = "cannot be made from a refused lock",
    note = "return a `Result` whose error type implements `From<PidFileError>`",
    note = "or say what to return then: `#[pidfile(.., on_error = |error| ..)]`"
)]
#[doc(hidden)]
pub trait FromRefusal: Sized {
    /// What the value is created from. The caller has a bound on it, so that the compiler's error
    /// names the error type rather than the `Result` around it.
    type Error;

    /// Returns the value for a refused call. In `main`, prints the error and exits where the
    /// return type would otherwise require a panic.
    #[track_caller]
    fn refused(error: Self::Error, main: bool) -> Self;
}

/// Error types that can be created from a refusal.
///
/// The same as `From<PidFileError>`, with a diagnostic of its own. If the type is generic, the
/// compiler suggests the bound of the implementation below.
#[diagnostic::on_unimplemented(
    message = "cannot turn a refused lock into `{Self}`",
    label = "the error type `{Self}` is not made from a `PidFileError`",
    note = "return one that implements `From<PidFileError>`: `PidFileError` itself, \
            `std::io::Error`, `Box<dyn Error>`, or a type of yours",
    note = "or say what to return then: `#[pidfile(.., on_error = |error| ..)]`"
)]
#[doc(hidden)]
pub trait ErrorFromRefusal {
    /// Converts the error. `#[track_caller]`, so that eyre reports the attribute's location.
    #[track_caller]
    fn refused(error: PidFileError) -> Self;
}

impl<E: From<PidFileError>> ErrorFromRefusal for E {
    fn refused(error: PidFileError) -> Self {
        error.into()
    }
}

impl<T, E> FromRefusal for Result<T, E> {
    type Error = E;

    fn refused(error: E, _main: bool) -> Self {
        Err(error)
    }
}

#[diagnostic::do_not_recommend]
impl FromRefusal for ExitCode {
    type Error = PidFileError;

    fn refused(error: PidFileError, _main: bool) -> Self {
        print(&error);
        ExitCode::FAILURE
    }
}

#[diagnostic::do_not_recommend]
impl FromRefusal for () {
    type Error = PidFileError;

    fn refused(error: PidFileError, main: bool) -> Self {
        refuse_diverging(error, main)
    }
}

/// Refuses a function that cannot return the error: exits from `main`, panics elsewhere.
#[doc(hidden)]
#[track_caller]
pub fn refuse_diverging(error: PidFileError, main: bool) -> ! {
    if main {
        exit(error)
    }
    panic!("{error}")
}
