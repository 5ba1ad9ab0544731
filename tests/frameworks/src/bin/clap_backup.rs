//! A program that parses its command line with clap, and whose `main` returns an `ExitCode`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pidlock_core::pidfile;

/// Copies what has changed.
#[derive(Parser)]
struct Options {
    /// The path of the pidfile.
    #[arg(long)]
    pidfile: PathBuf,
    /// The exit status if nothing has changed.
    #[arg(long, default_value_t = 0)]
    unchanged: u8,
}

// The options are parsed before the lock is acquired, so `--help` works while a backup runs.
#[pidfile(path = Options::parse().pidfile)]
fn main() -> ExitCode {
    let options = Options::parse();
    println!("comparing");
    if pidlock_frameworks::work().is_err() {
        return ExitCode::FAILURE;
    }
    options.unchanged.into()
}
