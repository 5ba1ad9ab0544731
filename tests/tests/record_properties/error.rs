//! A stand-in for the part of the core's `error.rs` that `record.rs` uses.

/// Escapes more characters than the core's function, which does not matter to the tests.
pub(crate) fn escaped(text: &str) -> String {
    text.escape_default().to_string()
}
