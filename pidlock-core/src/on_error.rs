//! What an annotated function does when the lock is not acquired: values for `on_error`.

use std::io::{self, Write as _};
use std::process::{self, ExitCode};

use crate::error::PidFileError;

/// For `on_error`: returns the default value if another instance is running, and panics on any other
/// error, because silently skipping those would mean that the function never runs.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use pidlock_core::pidfile;
///
/// /// Returns the number of mails sent: 0 if another instance is sending them.
/// #[pidfile("send_mails", temp_dir = true, on_error = pidlock_core::on_error::skip)]
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
/// On every error except [contention](PidFileError::is_contention).
#[track_caller]
#[must_use]
pub fn skip<T: Default>(error: PidFileError) -> T {
    assert!(error.is_contention(), "{error}");
    T::default()
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
    /// Returns the value for a refused call. In `main`, prints the error and exits where the
    /// return type would otherwise require a panic.
    #[track_caller]
    fn refused(error: PidFileError, main: bool) -> Self;
}

/// Error types that can be created from a refusal.
///
/// Separate from [`From`] so that the diagnostic names the error type rather than the `Result`
/// around it.
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

#[diagnostic::do_not_recommend]
impl<E: From<PidFileError>> ErrorFromRefusal for E {
    fn refused(error: PidFileError) -> Self {
        error.into()
    }
}

impl<T, E: ErrorFromRefusal> FromRefusal for Result<T, E> {
    fn refused(error: PidFileError, _main: bool) -> Self {
        Err(E::refused(error))
    }
}

#[diagnostic::do_not_recommend]
impl FromRefusal for ExitCode {
    fn refused(error: PidFileError, _main: bool) -> Self {
        print(&error);
        ExitCode::FAILURE
    }
}

#[diagnostic::do_not_recommend]
impl FromRefusal for () {
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
