//! Stops the holder of a pidfile.
//!
//! `stopper [--traced] PATH MILLISECONDS` prints `stopped`, `was free`, or `failed: KIND: WHY`. With
//! `--traced`, it stops for its tracer first.

use std::io;
use std::time::Duration;

use pidlock_core::PidFile;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--traced") {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        pidlock_tests::ptrace::stop_for_tracer();
        arguments.remove(0);
    }
    let [path, milliseconds] = &arguments[..] else {
        panic!("usage: stopper [--traced] PATH MILLISECONDS");
    };
    let timeout = milliseconds.parse().expect("parse a time");
    match PidFile::at(path).stop(Duration::from_millis(timeout)) {
        Ok(true) => println!("stopped"),
        Ok(false) => println!("was free"),
        Err(error) => {
            let why = error.to_string();
            println!("failed: {:?}: {why}", io::Error::from(error).kind());
        }
    }
}
