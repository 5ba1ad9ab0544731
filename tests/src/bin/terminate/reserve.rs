//! Reserves a pidfile in one process and commits it in another.
//!
//! PARENT says what the parent does after the fork:
//! - `stay`: does not fork, and does CHILD itself
//! - `return`, `exit`, `_exit`: ends in this way
//! - `drop`: drops its reservation, and then waits for the child
//! - `wait`: waits for the child, and then drops its reservation
//! - `first`, `second`, `race`: tries to commit before the child, after it or at the same time
//! - `twice`: forks a child that forks; both parents end
//!
//! CHILD says what the child does:
//! - `return`, `exit`, `term`: commits, and ends in this way
//! - `reset`: resets the signal handlers before it commits, as daemons do (daemon(7)), and then
//!   ends by SIGTERM
//! - `die`: calls `_exit` without a commit
//! - `drop`: drops its reservation and returns
//! - `try`: tries to commit, prints the outcome, and calls `_exit`
//!
//! At each `gate`, a process prints a line and waits for a line of input. All processes share the
//! input. A test must read the line of a gate before it sends input, because otherwise another
//! process can read that input.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use pidlock_core::{PidFile, Reservation};

use super::{End, os, say};

pub(crate) fn reserve(path: &Path, parent: &str, child: &str) -> End {
    let reservation = PidFile::at(path).reserve()?;
    assert_eq!(reservation.path(), path);
    gate("reserved");
    // The child reads from this until the parent writes to it or exits.
    let (mut gone, mut here) = UnixStream::pair()?;
    if parent == "stay" {
        return be_child(reservation, child);
    }
    let number = os::fork();
    if number.is_none() && parent == "twice" && os::fork().is_some() {
        os::end_at_once(0);
    }
    let Some(number) = number else {
        drop(here);
        if !matches!(parent, "race" | "second" | "wait") {
            let _ = gone.read(&mut [0]);
        }
        return be_child(reservation, child);
    };
    drop(gone);
    match parent {
        "return" | "twice" => Ok(()),
        "exit" => std::process::exit(7),
        "_exit" => os::end_at_once(7),
        "drop" => {
            drop(reservation);
            let _ = here.write(b"g");
            say(&format!("child {}", os::wait(number)));
            Ok(())
        }
        "wait" => {
            say(&format!("child {}", os::wait(number)));
            drop(reservation);
            Ok(())
        }
        "second" => {
            say(&format!("child {}", os::wait(number)));
            try_to_commit(reservation);
            Ok(())
        }
        "race" => {
            let guard = try_to_commit(reservation);
            say(&format!("child {}", os::wait(number)));
            drop(guard);
            Ok(())
        }
        "first" => {
            let guard = try_to_commit(reservation);
            let _ = here.write(b"g");
            say(&format!("child {}", os::wait(number)));
            if let Some(guard) = guard {
                guard.verify()?;
            }
            Ok(())
        }
        _ => panic!("unknown parent {parent}"),
    }
}

fn be_child(reservation: Reservation, what: &str) -> End {
    match what {
        "die" => os::end_at_once(0),
        "drop" => {
            drop(reservation);
            gate("dropped");
            return Ok(());
        }
        "try" => {
            let guard = try_to_commit(reservation);
            // Not dropped, because the other process could commit after a release.
            std::mem::forget(guard);
            os::end_at_once(0);
        }
        "reset" => {
            for signal in super::handlers::SIGNALS {
                os::handle(signal, libc::SIG_DFL);
            }
        }
        _ => {}
    }
    gate("to commit");
    let guard = reservation.commit()?;
    guard.verify()?;
    gate(&format!("committed {}", std::process::id()));
    match what {
        "return" => Ok(()),
        "exit" => std::process::exit(0),
        "term" | "reset" => {
            os::raise(os::SIGTERM);
            Ok(())
        }
        _ => panic!("unknown child {what}"),
    }
}

fn try_to_commit(reservation: Reservation) -> Option<pidlock_core::PidGuard> {
    let me = std::process::id();
    match reservation.commit() {
        Ok(guard) => {
            say(&format!("{me} is in"));
            Some(guard)
        }
        Err(error) => {
            let winner = error.pid().unwrap_or_default();
            let contention = error.is_contention();
            say(&format!(
                "{me} is refused by {winner}, contention: {contention}"
            ));
            None
        }
    }
}

/// Prints a line and waits for a line of input.
fn gate(line: &str) {
    say(line);
    let _ = std::io::stdin().read_line(&mut String::new());
}
