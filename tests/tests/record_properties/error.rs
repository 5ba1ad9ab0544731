//! The part of the core's `error.rs` that `record.rs` uses.

/// The real one escapes fewer characters, which does not matter here.
pub(crate) fn escaped(text: &str) -> String {
    text.escape_default().to_string()
}
