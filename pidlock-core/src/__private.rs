//! The names that the attribute's expansion uses, gathered in one module so that no name in the
//! caller's scope can shadow them, even without a prelude.
//!
//! Not part of the public interface: any release may change it together with `pidlock-macros`,
//! which is pinned to the same version.

#[cfg(feature = "macros")]
pub use pidlock_macros::with_slot;
pub use std::default::Default;
pub use std::format;
pub use std::option::Option::{None, Some};
pub use std::result::Result::{Err, Ok};
pub use std::unreachable;

pub use crate::error::PidFileError;
pub use crate::on_error::refuse_diverging;
pub use crate::pidfile::PidFile;

use crate::guard::PidGuard;
use crate::on_error::{ErrorFromRefusal, FromRefusal};
use crate::wait::Acquire;

/// Acquires the pidfile. A function, because a method call could resolve to a trait method of the
/// caller's.
pub fn acquire(pidfile: &PidFile) -> Result<PidGuard, PidFileError> {
    pidfile.acquire()
}

/// The same for an `async fn`, without blocking its executor.
pub fn acquire_async(pidfile: PidFile) -> Acquire {
    pidfile.acquire_async()
}

/// Stores the guard in its slot, and returns a reference to it.
pub fn store(slot: &mut Option<PidGuard>, guard: PidGuard) -> &PidGuard {
    slot.insert(guard)
}

/// Returns what the return type says on refusal, where there is no `on_error`.
#[track_caller]
pub fn refused<R, E>(error: PidFileError, main: bool) -> R
where
    R: FromRefusal<Error = E>,
    E: ErrorFromRefusal,
{
    R::refused(E::refused(error), main)
}

/// Calls an `on_error` that is neither a closure literal nor a path. The bound tells the compiler
/// the type that the value is called with.
pub fn refused_by<R, F: FnOnce(PidFileError) -> R>(f: F, error: PidFileError) -> R {
    f(error)
}

/// Runs the body of a function that takes `self` by value. What the closure owns is dropped when
/// it returns.
pub fn once<R, F: FnOnce() -> R>(f: F) -> R {
    f()
}

/// Names the return type of a function pointer, because `!` cannot be written as the type of a
/// `let`.
pub trait Returns {
    type Output;
}

impl<R> Returns for fn() -> R {
    type Output = R;
}

/// The type of an `async` block that stands for `!`. It has a field, because the compiler warns
/// about code after a call that returns a type without values.
pub struct Never(());

/// Sets the type of an `async` block. The call is never executed.
pub fn type_witness<R>() -> R {
    unreachable!("only the type of this call is used")
}
