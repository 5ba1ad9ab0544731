//! A daemon that reports to its terminal whether it started.
//!
//! `cargo run --example daemon` prints the daemon's PID. If a daemon is running already, it prints
//! that daemon's PID and exits with status 1. After `kill PID` the daemon removes its pidfile and
//! exits. After `kill -9 PID` the next start takes over the stale pidfile.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use fork::Fork;
use pidlock_core::{PidFile, Reservation};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> Result<(), Box<dyn Error>> {
    // Reserve while stderr is still a terminal. From here on every other start is refused.
    // A real daemon has its own directory, such as `/run/pidlock-daemon`.
    let reservation = PidFile::new("pidlock-daemon").temp_dir(true).reserve()?;
    let (mut from_daemon, to_terminal) = UnixStream::pair()?;
    // Fork before starting threads: a child has only the thread that forked.
    match fork::fork()? {
        Fork::Child => {
            drop(from_daemon);
            go_into_background(reservation, to_terminal)
        }
        Fork::Parent(_) => {
            // Close our copy, or `read_to_string` would never see the end of file.
            drop(to_terminal);
            let mut pid = String::new();
            from_daemon.read_to_string(&mut pid)?;
            if pid.is_empty() {
                return Err("the daemon could not start".into());
            }
            println!("running in the background as PID {pid}");
            // Dropping our copy of the reservation releases nothing: the daemon owns it.
            Ok(())
        }
    }
}

fn go_into_background(
    reservation: Reservation,
    mut to_terminal: UnixStream,
) -> Result<(), Box<dyn Error>> {
    // A new session does not receive the terminal's Ctrl-C and hangup. The second fork makes the
    // daemon a process that is not the session leader and cannot acquire a terminal.
    fork::setsid()?;
    if let Fork::Parent(_) = fork::fork()? {
        return Ok(());
    }
    // Do not keep the file system of the current directory busy.
    std::env::set_current_dir("/")?;
    // Install the handlers before the PID becomes visible in the file.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;

    let guard = reservation.commit()?;

    // Report success, then detach from the terminal. The parent may have been killed, so ignore
    // write errors.
    let _ = write!(to_terminal, "{}", guard.pid());
    drop(to_terminal);
    fork::redirect_stdio()?;

    // A real daemon starts its threads here.
    signals.forever().next();

    // Release last, because another instance can start as soon as the file is removed.
    guard.close()?;
    Ok(())
}
