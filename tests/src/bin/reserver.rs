//! Reserves a pidfile, forks a child, and waits until the child has committed.
//!
//! `reserver CHILD PATH [MILLISECONDS]` prints the result of `wait_committed`. CHILD says what the
//! child does:
//! - `commits`: prints its PID, commits when a line is read, and holds the file until the input
//!   ends
//! - `ends`: prints its PID, commits, releases and exits
//! - `fails`: removes the file, so that its commit fails
//! - `drops`: drops the reservation and waits until the input ends
//! - `exits`: exits
//! - `forks`: forks a grandchild that does `commits`, and exits
//! - `waits`: waits until the input ends
//! - `writes`: writes another process's PID into the file, as if that process had acquired the file
//! - `none`: there is no child

#![allow(unsafe_code)]

use std::fs;
use std::io::{Error, Read};
use std::path::Path;
use std::process::exit;
use std::time::Duration;

use pidlock_core::{PidFile, Reservation};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, path, timeout) = match &arguments[..] {
        [what, path] => (what, path, 60_000),
        [what, path, timeout] => (what, path, timeout.parse().expect("parse MILLISECONDS")),
        _ => panic!("usage: reserver CHILD PATH [MILLISECONDS]"),
    };
    let reservation = PidFile::at(path).reserve().expect("reserve the file");
    if what != "none" && is_child() {
        child(what, Path::new(path), reservation);
    }
    match reservation.wait_committed(Duration::from_millis(timeout)) {
        Ok(pid) => println!("committed by {pid}"),
        Err(error) => println!("{error}"),
    }
}

fn child(what: &str, path: &Path, reservation: Reservation) -> ! {
    match what {
        "commits" => {
            println!("{}", std::process::id());
            line();
            let _guard = reservation.commit().expect("commit");
            rest();
        }
        "ends" => {
            println!("{}", std::process::id());
            drop(reservation.commit().expect("commit"));
        }
        "fails" => {
            fs::remove_file(path).expect("remove the file");
            reservation.commit().expect_err("the file is gone");
        }
        "drops" => {
            drop(reservation);
            rest();
        }
        "exits" => {}
        "forks" if is_child() => child("commits", path, reservation),
        "forks" => {}
        "waits" => rest(),
        "writes" => {
            fs::write(path, "1\n").expect("write a record");
            rest();
        }
        _ => panic!("unknown: {what}"),
    }
    exit(0)
}

/// Forks. Returns `true` in the child.
fn is_child() -> bool {
    // SAFETY: this program has only one thread.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", Error::last_os_error()),
        child => child == 0,
    }
}

/// Reads a line byte by byte, so that `rest` sees what follows.
fn line() {
    let mut byte = [0];
    while byte != *b"\n" {
        std::io::stdin().read_exact(&mut byte).expect("read a line");
    }
}

/// Waits until the input ends.
fn rest() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
