//! A complete run of `traced`, with an action of the test at one of its system calls.

use std::path::Path;

use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::Case;
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN};

pub(crate) struct Life {
    pub(crate) run: Run,
    /// The lines printed after the acquisition and after the release.
    pub(crate) said: Vec<String>,
    /// The contents of the file when the start had acquired it, or was refused.
    pub(crate) record: String,
}

/// Runs the case, and calls `happens` at the moment with this number among those that `counts`
/// selects. Returns `None` if `happens` returns `false`, or if the start is over before that
/// moment.
pub(crate) fn live(
    case: Case,
    path: &Path,
    number: usize,
    counts: fn(Moment) -> bool,
    mut happens: impl FnMut(&Run) -> bool,
) -> Option<Life> {
    let mut life = Life {
        run: Run::start(case, path),
        said: Vec::new(),
        record: String::new(),
    };
    let mut calls = 0;
    let ending = loop {
        match life.run.advance() {
            moment if counts(moment) => {
                if calls == number && !happens(&life.run) {
                    return None;
                }
                calls += 1;
            }
            Moment::Mark(TAKEN) if calls <= number => return None,
            Moment::Mark(TAKEN) => {
                life.said.push(life.run.stepper.line());
                life.record = std::fs::read_to_string(path).unwrap_or_default();
            }
            Moment::Mark(GIVEN_BACK) => life.said.push(life.run.stepper.line()),
            Moment::Ended(ending) => break ending,
            _ => {}
        }
    };
    let what = format!("{case:?}, at call {number}: {:?}", life.said);
    assert_eq!(ending, Ending::Code(0), "{what}");
    Some(life)
}

impl Life {
    /// Returns `true` if the start acquired a file with its own record and released it; `false` if
    /// it was refused.
    pub(crate) fn was_inside(&self, case: Case, number: usize) -> bool {
        let (said, record) = (&self.said, &self.record);
        let what = format!("{case:?}, at call {number}: {said:?}, {record:?}");
        let inside = said[0] == "in";
        if inside {
            assert_eq!(*record, format!("{}\n", self.run.stepper.pid()), "{what}");
            assert_eq!(said[1], "closed", "{what}");
        } else {
            assert!(said[0].starts_with("refused: "), "{what}");
        }
        inside
    }
}

/// Adds up the results of runs, `true` for each that acquired the file. At least three must have
/// acquired it.
pub(crate) fn sum(case: Case, lives: impl Iterator<Item = bool>) -> Figures {
    let lives: Vec<bool> = lives.collect();
    let inside = lives.iter().filter(|&&inside| inside).count();
    assert!(inside > 2, "{case:?}: {lives:?}");
    Figures {
        holds: inside as u64,
        ..Figures::survived(lives.len() as u64)
    }
}
