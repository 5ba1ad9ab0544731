//! Jobs that cron starts while the last one may still be running.
//!
//! `cargo run --example cron_job` does nothing if the job is running already. `cron_job --wait`
//! waits 30 seconds for that one to end, and fails if it has not. A job ends with its input.

use std::error::Error;
use std::io::{Read, stdin};
use std::time::Duration;

use pidlock_core::{on_error, pidfile};

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("--wait") => wait_for_the_last(),
        _ => skip_if_running(),
    }
}

#[pidfile("pidlock-cron-job", temp_dir = true, on_error = on_error::skip)]
fn skip_if_running() -> Result<(), Box<dyn Error>> {
    work()
}

#[pidfile("pidlock-cron-job", temp_dir = true, timeout = Duration::from_secs(30))]
fn wait_for_the_last() -> Result<(), Box<dyn Error>> {
    work()
}

fn work() -> Result<(), Box<dyn Error>> {
    println!("working");
    stdin().read_to_end(&mut Vec::new())?;
    println!("done");
    Ok(())
}
