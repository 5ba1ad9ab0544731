//! A program that runs one at a time.
//!
//! Run it in two terminals, `cargo run --example quickstart`, and the second says who is in its
//! way. Kill the first with `kill -9`, and the next start takes over. It works for ten seconds, or
//! as many as its argument says.

use std::error::Error;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, pidfile};

const NAME: &str = "pidlock-quickstart";

#[pidfile(name = NAME, temp_dir = true)]
fn main() -> Result<(), Box<dyn Error>> {
    let seconds = match std::env::args().nth(1) {
        Some(argument) => argument
            .parse()
            .map_err(|_| format!("'{argument}' is no number of seconds"))?,
        None => 10,
    };
    let path = PidFile::new(NAME).temp_dir(true).path()?;
    println!(
        "running as PID {}, see {}",
        std::process::id(),
        path.display()
    );
    println!("working for {seconds} s: start me again meanwhile, or kill me with kill -9");
    thread::sleep(Duration::from_secs(seconds));
    println!("done");
    Ok(())
}
