//! Some tests compile sources of the product into themselves, by `#[path]`. If one of these files
//! moves, the build says what to change.

use std::path::Path;

/// Each source, and the files that name it.
const SHARED: &[(&str, &str)] = &[
    (
        "pidlock-core/src/record.rs",
        "tests/tests/record_properties.rs, tests/fuzz/fuzz_targets/record.rs",
    ),
    (
        "pidlock-core/src/cleanup/shutdown.rs",
        "tests/tests/shutdown_model.rs",
    ),
    (
        "pidlock-macros/src/args.rs",
        "tests/fuzz/fuzz_targets/arguments.rs, which also includes the files beside it",
    ),
];

fn main() {
    for (source, users) in SHARED {
        println!("cargo::rerun-if-changed=../{source}");
        assert!(
            Path::new("..").join(source).exists(),
            "{source} has moved: change the #[path] in {users}, and the list in tests/build.rs"
        );
    }
}
