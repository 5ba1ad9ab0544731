//! Runs the tests of faults, storms and attacks, and prints what they counted.
//!
//! ```sh
//! cargo run -p pidlock-tests --bin report
//! ```
//!
//! Its last line is the sum. It fails if a test fails, or if anybody was let in beside a holder, or
//! any file was harmed.

use std::process::{Command, ExitCode};

use pidlock_tests::tally::Figures;

/// The targets that count.
const TARGETS: &[&str] = &["faults", "hostile", "interop", "signal_storm", "storm"];

fn main() -> ExitCode {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let file = dir.path().join("figures");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "-p", "pidlock-tests"])
        .args(TARGETS.iter().flat_map(|target| ["--test", target]))
        .env("PIDLOCK_FIGURES", &file)
        .status()
        .expect("cargo runs");
    let lines = std::fs::read_to_string(&file).unwrap_or_default();
    let mut sum = Figures::default();
    for line in lines.lines() {
        let (figures, what) = Figures::parse(line).expect("a line of figures");
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
