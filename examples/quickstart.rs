//! A program that runs only one instance at a time.
//!
//! Run `cargo run --example quickstart` in two terminals: the second start prints the PID of the
//! first and fails. Kill the first with `kill -9`: the next start takes over the stale pidfile. The
//! program works for ten seconds, or for the number of seconds in its argument.

use std::error::Error;
use std::thread;
use std::time::Duration;

use pidlock_core::pidfile;

#[pidfile("pidlock-quickstart", temp_dir = true, guard = lock)]
fn main() -> Result<(), Box<dyn Error>> {
    let seconds = match std::env::args().nth(1) {
        Some(argument) => argument
            .parse()
            .map_err(|_| format!("'{argument}' is no number of seconds"))?,
        None => 10,
    };
    println!(
        "running as PID {}, see {}",
        lock.pid(),
        lock.path().display()
    );
    println!("working for {seconds} s: start me again meanwhile, or kill me with kill -9");
    thread::sleep(Duration::from_secs(seconds));
    println!("done");
    Ok(())
}
