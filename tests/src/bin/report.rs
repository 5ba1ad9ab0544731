//! Runs the fault, storm and attack tests, and prints their figures.
//!
//! ```sh
//! cargo run -p pidlock-tests --bin report
//! ```
//!
//! The last line is the sum. The program fails if a test fails, if a guarantee did not hold after a
//! fault, if a pidfile had two holders at once, or if an unrelated file was harmed.

use std::process::{Command, ExitCode};

use pidlock_tests::tally::Figures;

/// The test targets that record figures.
const TARGETS: &[&str] = &["faults", "hostile", "interop", "signal_storm", "storm"];

fn main() -> ExitCode {
    let dir = tempfile::tempdir().expect("create a temporary directory");
    let file = dir.path().join("figures");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "-p", "pidlock-tests"])
        .args(TARGETS.iter().flat_map(|target| ["--test", target]))
        .env("PIDLOCK_FIGURES", &file)
        .status()
        .expect("run cargo");
    let lines = std::fs::read_to_string(&file).unwrap_or_default();
    let mut sum = Figures::default();
    for line in lines.lines() {
        let (figures, what) = Figures::parse(line).expect("parse a line of figures");
        println!("{what}: {figures}");
        sum += figures;
    }
    println!("all: {sum}");
    let whole = sum.holds > 0 && sum.survived == sum.faults && sum.overlaps + sum.harmed == 0;
    if status.success() && whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
