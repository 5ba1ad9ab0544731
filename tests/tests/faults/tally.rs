//! What came of many faults, injected several at a time.

use std::sync::Mutex;

use pidlock_tests::tally::Figures;

use super::place::Checked;

#[derive(Default)]
pub(crate) struct Tally(Mutex<(Figures, Vec<String>)>);

impl Tally {
    /// Counts one fault, and what else there is to count about it.
    pub(crate) fn add(&self, what: &str, mut figures: Figures, checked: Checked) {
        figures.faults += 1;
        figures.survived += u64::from(checked.is_ok());
        let mut sum = self.0.lock().expect("no panic");
        sum.0 += figures;
        if let Err(why) = checked {
            sum.1.push(format!("{what}: {why}"));
        }
    }

    /// Hands the sum to the report; panics if anything was wrong.
    pub(crate) fn finish(self, what: &str) -> Figures {
        let (figures, wrong) = self.0.into_inner().expect("no panic");
        figures.record(what);
        println!("{what}: {figures}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        figures
    }
}
