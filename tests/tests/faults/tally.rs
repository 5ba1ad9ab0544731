//! The outcome of many faults, which are injected on several threads.

use std::sync::Mutex;

use pidlock_tests::tally::Figures;

use super::place::Checked;

#[derive(Default)]
pub(crate) struct Tally(Mutex<(Figures, Vec<String>)>);

impl Tally {
    /// Adds one fault, its figures, and the outcome of its checks.
    pub(crate) fn add(&self, what: &str, mut figures: Figures, checked: Checked) {
        figures.faults += 1;
        figures.survived += u64::from(checked.is_ok());
        let mut sum = self.0.lock().expect("no thread panicked");
        sum.0 += figures;
        if let Err(why) = checked {
            sum.1.push(format!("{what}: {why}"));
        }
    }

    /// Adds the sum to the report. Panics if a check failed.
    pub(crate) fn finish(self, what: &str) -> Figures {
        let (figures, wrong) = self.0.into_inner().expect("no thread panicked");
        figures.record(what);
        println!("{what}: {figures}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        figures
    }
}
