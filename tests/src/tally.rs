//! What the tests of faults, storms and attacks counted, for the report that adds it up.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::AddAssign;

/// Where the report wants the figures: a file that each test adds a line to.
const FILE: &str = "PIDLOCK_FIGURES";

/// What was done to the pidfile and its holders, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Acquisitions that got in.
    pub holds: u64,
    /// Deaths, errors, delays and attacks, each counted once.
    pub faults: u64,
    /// Those of them after which all was as promised.
    pub survived: u64,
    /// Moments with two holders.
    pub overlaps: u64,
    /// Files that are not ours and were created, changed or removed.
    pub harmed: u64,
}

impl Figures {
    /// Of faults that all went as promised.
    #[must_use]
    pub fn survived(faults: u64) -> Self {
        Self {
            faults,
            survived: faults,
            ..Self::default()
        }
    }

    /// Hands the figures of one test to the report, if there is one.
    ///
    /// # Panics
    ///
    /// If the file that the report asked for cannot be written.
    pub fn record(self, what: &str) {
        let Some(file) = std::env::var_os(FILE) else {
            return;
        };
        // One write: tests run side by side.
        let line = format!(
            "{} {} {} {} {} {what}\n",
            self.holds, self.faults, self.survived, self.overlaps, self.harmed
        );
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the figures can be written");
    }

    /// Reads a line that [`record`](Self::record) wrote: the figures and what they are about.
    #[must_use]
    pub fn parse(line: &str) -> Option<(Self, &str)> {
        let mut words = line.splitn(6, ' ');
        let mut number = || words.next()?.parse().ok();
        let figures = Self {
            holds: number()?,
            faults: number()?,
            survived: number()?,
            overlaps: number()?,
            harmed: number()?,
        };
        Some((figures, words.next()?))
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.holds += other.holds;
        self.faults += other.faults;
        self.survived += other.survived;
        self.overlaps += other.overlaps;
        self.harmed += other.harmed;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} holds, {} faults injected, {} survived, {} overlaps, {} files harmed",
            self.holds, self.faults, self.survived, self.overlaps, self.harmed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let (figures, what) = Figures::parse("1 2 3 4 5 a storm of 8").expect("it is a line");
        assert_eq!(what, "a storm of 8");
        assert_eq!(
            figures.to_string(),
            "1 holds, 2 faults injected, 3 survived, 4 overlaps, 5 files harmed"
        );
        assert_eq!(Figures::parse("1 2 3 4 what"), None);
    }
}
