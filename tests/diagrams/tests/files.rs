//! The diagrams in the tree are those that the command writes.

use std::fs;
use std::path::Path;

#[test]
fn diagrams_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, text) in pidlock_diagrams::all() {
        let path = root.join(pidlock_diagrams::DIRECTORY).join(name);
        let found = fs::read_to_string(path).unwrap_or_default();
        assert!(found == text, "{name}: run `cargo run -p pidlock-diagrams`");
        // rustdoc shows the file inline, and an empty line would end it there.
        assert!(
            text.starts_with("<svg ") && !text.contains("\n\n"),
            "{name}"
        );
    }
}
