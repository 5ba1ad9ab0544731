//! The one thing of the core's `error.rs` that the parser of records asks for.

use std::fmt;

/// The real one writes control characters out in another way, which is not what is looked at here.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_default())
    }
}
