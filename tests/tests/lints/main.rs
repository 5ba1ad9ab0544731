//! The attribute leaves no trace in the lints: the same crate is checked with and without it, with
//! every lint of the compiler, and clippy's ordinary, pedantic and nursery ones. Nothing may fire
//! because of it, and nothing may go quiet but what the documentation lists.

mod checked;
mod documented;
mod snippets;

use std::collections::{BTreeMap, BTreeSet};

use checked::{Checks, Fired};

const SIGNATURES: &str = include_str!("signatures.rs");

/// What fires without the attribute but not with it. What fires only with it must be these.
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

/// Each lint with the first line that it is about.
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
fn nothing_fires_anew_and_nothing_goes_quiet_but_what_is_documented() {
    let Some(checks) = Checks::possible() else {
        return;
    };
    let (bodies, expected) = snippets::source();
    for edition in ["2021", "2024"] {
        let checks = checks.edition(edition);
        let bare = checks.fired("bodies", &bodies, false);
        for (lint, places) in &expected {
            // Not on every shape: clippy leaves some alone in the methods of traits.
            let found = places.iter().filter(|place| {
                bare.iter()
                    .any(|fired| fired.lint == *lint && place.contains(&fired.line))
            });
            assert!(
                found.count() * 2 > places.len(),
                "{lint} fires without it in {places:?}"
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
