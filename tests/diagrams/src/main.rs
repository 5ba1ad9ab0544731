//! Writes the diagrams.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = root.join(pidlock_diagrams::DIRECTORY);
    fs::create_dir_all(&directory)?;
    for (name, text) in pidlock_diagrams::all() {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
