//! The attribute beside other attributes, in both orders: the table in its documentation.
//!
//! Each neighbour stands in a call of `both!`, `above!` or `below!`, which says where ours can
//! stand. An order that does not compile has a program in `ui/fail` of this package or of `tests`.

#[macro_use]
mod orders;

mod built_in;
mod copies;
mod frameworks;
mod runtimes;
mod tests;

use pidlock_core::PidFileError;

/// The error of functions whose errors are compared or copied.
#[derive(Clone, Debug, PartialEq)]
struct Refused;

impl From<PidFileError> for Refused {
    fn from(_: PidFileError) -> Self {
        Refused
    }
}
