//! The diagrams of the documentation, and the charts of the benchmarks.
//!
//! `cargo run -p pidlock-diagrams` writes them. The charts show the tables of `benches/README.md`. A
//! test checks that the files in the tree are what the command writes.

mod canvas;
mod choice;
mod ends;
mod growth;
mod protocol;
mod ratios;
mod style;
mod table;

use std::fs;
use std::io;
use std::path::Path;

/// The path of each file, and its text.
///
/// # Errors
///
/// If `benches/README.md` cannot be read.
pub fn all() -> io::Result<[(&'static str, String); 5]> {
    let readme = fs::read_to_string(root().join("benches/README.md"))?;
    Ok([
        ("benches/growth.svg", growth::draw(&readme)),
        ("benches/ratios.svg", ratios::draw(&readme)),
        ("pidlock-core/src/guide/choice.svg", choice::draw()),
        ("pidlock-core/src/guide/ends.svg", ends::draw()),
        ("pidlock-core/src/guide/protocol.svg", protocol::draw()),
    ])
}

/// Writes all files.
///
/// # Errors
///
/// If one cannot be written.
pub fn write() -> io::Result<()> {
    for (path, text) in all()? {
        fs::write(root().join(path), text)?;
    }
    Ok(())
}

/// The root of the repository.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
