//! Reserves a pidfile in one process and commits it in another.
//!
//! PARENT: `stay` (no child; CHILD is what it does itself), or what becomes of it after the fork:
//! `return`, `exit`, `_exit`, `drop` (its reservation, then waits for the child), `wait` (for the
//! child, then lets go), `second` (commits after its child did), `first` (before), `race` (at the same time),
//! `twice` (forks a child that forks, and both parents end).
//! CHILD: `return`, `exit`, `term`: commits, then ends so; `die`: by `_exit`, without; `drop`:
//! drops its reservation and returns; `reset`: as `term`, but gives the signals their default
//! effect before it commits, as daemons do (daemon(7)); `try`: commits, says how it went, and ends by `_exit`.
//!
//! At each `gate` it waits for a line of input, whichever process it is; whoever sends one must
//! have seen what was said there, for another process may read the next.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use pidlock_core::{PidFile, Reservation};

use super::{End, os, say};

pub(crate) fn reserve(path: &Path, parent: &str, child: &str) -> End {
    let reservation = PidFile::at(path).reserve()?;
    assert_eq!(reservation.path(), path);
    gate("reserved");
    // What a child waits on until its parent is gone, or as far as it wants to be.
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
            // Not released, so that it can be seen that the other one did not get it after us.
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

/// Says where it is, and waits to be told to go on.
fn gate(line: &str) {
    say(line);
    let _ = std::io::stdin().read_line(&mut String::new());
}
