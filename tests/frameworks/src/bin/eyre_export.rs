//! A job whose `main` reports its errors with eyre.

use eyre::WrapErr;
use pidlock_core::pidfile;

#[pidfile("eyre_export", temp_dir = true)]
fn main() -> eyre::Result<()> {
    println!("exporting");
    pidlock_frameworks::work().wrap_err("cannot read what to export")
}
