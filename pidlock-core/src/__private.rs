//! What the attribute's expansion names, gathered in one place so that nothing of the caller's
//! can stand in its way, a missing prelude included. Not part of the public interface: any
//! release may change it, together with `pidlock-macros`, which is pinned to the same version.

pub use std::default::Default;
pub use std::format;
pub use std::option::Option::{None, Some};
pub use std::result::Result::{Err, Ok};

pub use crate::outcome::never as refused_never;
pub use crate::{PidFile, PidFileError};

use crate::PidGuard;
use crate::outcome::Refused;

/// The one door to the lock, as a path: a method call could meet a trait of the caller's.
pub fn acquire(pidfile: &PidFile) -> Result<PidGuard, PidFileError> {
    pidfile.acquire()
}

/// The refusal by return type, where there is no `on_error`.
#[track_caller]
pub fn refused<R: Refused>(error: PidFileError, main: bool) -> R {
    R::refused(error, main)
}

/// The refusal by an `on_error` that is neither a closure literal nor a path: as an argument it
/// is told what it will be called with.
pub fn refused_by<R, F: FnOnce(PidFileError) -> R>(f: F, error: PidFileError) -> R {
    f(error)
}

/// Runs the body of a function that takes `self` by value: what the closure owns dies with it.
pub fn once<R, F: FnOnce() -> R>(f: F) -> R {
    f()
}

/// Names the return type of a function pointer: `!` has no other name in a `let`.
pub trait Returns {
    type Output;
}

impl<R> Returns for fn() -> R {
    type Output = R;
}

/// Tells an `async` block its type. Never called.
pub fn never<R>() -> R {
    unreachable!("only the type of this call is used")
}
