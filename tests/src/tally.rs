//! Counts what the fault, storm and attack tests did, and passes the figures to `report`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::AddAssign;

/// The environment variable with the path of the file that each test appends a line to.
const FILE: &str = "PIDLOCK_FIGURES";

/// What happened in a test: acquisitions, injected faults and their outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Successful acquisitions.
    pub holds: u64,
    /// Injected kills, errors, delays and attacks.
    pub faults: u64,
    /// Faults after which every guarantee still held.
    pub survived: u64,
    /// Times when a pidfile had two holders.
    pub overlaps: u64,
    /// Unrelated files that were created, changed or removed.
    pub harmed: u64,
}

impl Figures {
    /// Figures of a test that survived all its faults.
    #[must_use]
    pub fn survived(faults: u64) -> Self {
        Self {
            faults,
            survived: faults,
            ..Self::default()
        }
    }

    /// Appends a line with the figures to the file that `PIDLOCK_FIGURES` names, if it is set.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn record(self, what: &str) {
        let Some(file) = std::env::var_os(FILE) else {
            return;
        };
        // A single write, because tests run concurrently.
        let line = format!(
            "{} {} {} {} {} {what}\n",
            self.holds, self.faults, self.survived, self.overlaps, self.harmed
        );
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("write the figures");
    }

    /// Parses a line of [`record`](Self::record). Returns the figures and their description.
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
    fn recorded_line_parses_and_short_line_is_rejected() {
        let (figures, what) = Figures::parse("1 2 3 4 5 a storm of 8").expect("parse the line");
        assert_eq!(what, "a storm of 8");
        assert_eq!(
            figures.to_string(),
            "1 holds, 2 faults injected, 3 survived, 4 overlaps, 5 files harmed"
        );
        assert_eq!(Figures::parse("1 2 3 4 what"), None);
    }
}
