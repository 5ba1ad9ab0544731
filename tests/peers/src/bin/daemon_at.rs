//! `daemon_at PATH`: becomes a daemon with this pidfile, and ends when the file `PATH.end` appears.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use daemonize::Daemonize;

fn main() {
    let path = std::env::args().nth(1).expect("a path");
    let started = Daemonize::new().pid_file(&path).start();
    let end = format!("{path}.end");
    while started.is_ok() && !Path::new(&end).exists() {
        sleep(Duration::from_millis(10));
    }
}
