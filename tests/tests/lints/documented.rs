//! The lints that the attribute's documentation lists.

use std::collections::BTreeSet;

const DOCUMENTATION: &str = include_str!("../../../pidlock-macros/src/lib.rs");

/// Returns the lints that, according to the documentation, the attribute silences.
pub(crate) fn quiet() -> BTreeSet<String> {
    listed(" These lints no longer fire")
}

/// Returns the lints that, according to the documentation, the attribute adds.
pub(crate) fn new() -> BTreeSet<String> {
    listed(" These lints can fire")
}

fn listed(start: &str) -> BTreeSet<String> {
    let note: String = DOCUMENTATION
        .lines()
        .map(|line| line.trim_start_matches("///"))
        .skip_while(|line| !line.starts_with(start))
        .enumerate()
        .take_while(|(n, line)| *n == 0 || !(line.starts_with(" These") || line.starts_with('#')))
        .map(|(_, line)| line)
        .collect();
    let lints: BTreeSet<String> = note
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!lints.is_empty(), "{start}");
    lints
}
