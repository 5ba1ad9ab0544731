//! A whole life of a start, in which something happens at one of its calls.

use std::path::Path;

use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::Case;
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN};

pub(crate) struct Life {
    pub(crate) run: Run,
    /// How taking went, then giving back.
    pub(crate) said: Vec<String>,
    /// What was at the path when it was in or refused.
    pub(crate) record: String,
}

/// Something happens at the call with this number, of the moments that count. `None` if it cannot any
/// more, or the start is in or refused before that.
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
    /// Whether it was in, with a file of its own that it could give back; else it was refused.
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

/// What came of lives in which it happened at one call after the other: some of them were in.
pub(crate) fn sum(case: Case, lives: impl Iterator<Item = bool>) -> Figures {
    let lives: Vec<bool> = lives.collect();
    let inside = lives.iter().filter(|&&inside| inside).count();
    assert!(inside > 2, "{case:?}: {lives:?}");
    Figures {
        holds: inside as u64,
        ..Figures::survived(lives.len() as u64)
    }
}
