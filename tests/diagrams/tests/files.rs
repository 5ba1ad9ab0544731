//! The pictures in the tree are those that the command writes.

use std::fs;

#[test]
fn pictures_are_up_to_date() {
    for (path, text) in pidlock_diagrams::all().expect("draw the pictures") {
        let found = fs::read_to_string(pidlock_diagrams::root().join(path)).unwrap_or_default();
        assert!(found == text, "{path}: run `cargo run -p pidlock-diagrams`");
        // rustdoc shows the file inline, and an empty line would end it there.
        assert!(
            text.starts_with("<svg ") && !text.contains("\n\n"),
            "{path}"
        );
    }
}
