//! Checks that the attribute adds and silences only the lints that its documentation lists. Runs
//! all lints of the compiler, and clippy's default, pedantic and nursery lints, on functions with
//! and without it.

mod checked;
mod documented;
mod snippets;

use std::collections::{BTreeMap, BTreeSet};

use pidlock_tests::length::some;

use checked::{Checks, Fired};

const SIGNATURES: &str = include_str!("signatures.rs");

/// Returns the warnings that occur only without the attribute. Asserts that the lints that fire
/// only with it are `new`.
fn quiet(what: &str, checks: &Checks, source: &str, new: &BTreeSet<String>) -> BTreeSet<Fired> {
    let (bare, guarded) = (
        checks.fired(what, source, false),
        checks.fired(what, source, true),
    );
    let found: Vec<&Fired> = guarded.difference(&bare).collect();
    let names: BTreeSet<String> = found.iter().map(|fired| fired.name().to_owned()).collect();
    assert_eq!(
        &names,
        new,
        "only with the attribute:\n{}",
        show(&found, source)
    );
    bare.difference(&guarded).cloned().collect()
}

/// Formats each lint with its count and the first line on which it fires.
fn show(fired: &[&Fired], source: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut by_lint: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for fired in fired {
        by_lint.entry(&fired.lint).or_default().push(fired.line);
    }
    by_lint
        .iter()
        .map(|(lint, at)| format!("{} times {lint}:\n{}\n", at.len(), lines[at[0] - 1]))
        .collect()
}

#[test]
fn attribute_adds_and_silences_only_documented_lints() {
    let Some(checks) = Checks::possible() else {
        return;
    };
    let (bodies, expected) = snippets::source();
    for edition in some(["2024", "2021"]) {
        let checks = checks.edition(edition);
        let bare = checks.fired("bodies", &bodies, false);
        for (lint, places) in &expected {
            // A lint need not fire in every shape: clippy skips some lints in trait methods.
            let found = places.iter().filter(|place| {
                bare.iter()
                    .any(|fired| fired.lint == *lint && place.contains(&fired.line))
            });
            assert!(
                found.count() * 2 > places.len(),
                "{lint} must fire without the attribute in {places:?}"
            );
        }
        let mut quiet = quiet("bodies", &checks, &bodies, &BTreeSet::new());
        quiet.extend(self::quiet(
            "signatures",
            &checks,
            SIGNATURES,
            &documented::new(),
        ));
        let names: BTreeSet<String> = quiet.iter().map(|fired| fired.name().to_owned()).collect();
        assert_eq!(names, documented::quiet(), "{edition}");
    }
}
