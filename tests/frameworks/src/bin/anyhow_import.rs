//! A job that reports its errors with anyhow.

use anyhow::Context;
use pidlock_core::pidfile;

#[pidfile("anyhow_import", temp_dir = true)]
fn import() -> anyhow::Result<()> {
    println!("importing");
    pidlock_frameworks::work().context("cannot read what to import")?;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    import().context("cannot import")
}
