//! The part of the core's `error.rs` that `record.rs` uses.

use std::fmt;

/// The real one escapes fewer characters, which does not matter here.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_default())
    }
}
