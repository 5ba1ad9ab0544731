//! The diagrams of the documentation.
//!
//! `cargo run -p pidlock-diagrams` writes them to `pidlock-core/src/guide`. A test checks that the
//! files there are what it writes.

mod canvas;
mod choice;
mod ends;
mod protocol;
pub mod style;

/// The name of each file, and its text.
#[must_use]
pub fn all() -> [(&'static str, String); 3] {
    [
        ("choice.svg", choice::draw()),
        ("ends.svg", ends::draw()),
        ("protocol.svg", protocol::draw()),
    ]
}

/// The directory of the files, from the root of the repository.
pub const DIRECTORY: &str = "pidlock-core/src/guide";
