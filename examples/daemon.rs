//! A program that goes into the background, and whose terminal hears whether it could.
//!
//! `cargo run --example daemon` says the daemon's PID, or who is in its way, with exit status 1.
//! `kill` that PID, and the daemon ends and its pidfile is gone; `kill -9` it, and the next start
//! takes over.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use fork::Fork;
use pidlock_core::{PidFile, Reservation};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> Result<(), Box<dyn Error>> {
    // While there is a terminal to complain to. From here on nobody else gets in, whichever of
    // our processes goes on.
    // A real daemon has a directory of its own, such as `/run/pidlock-daemon`.
    let reservation = PidFile::new("pidlock-daemon").temp_dir(true).reserve()?;
    let (mut from_daemon, to_terminal) = UnixStream::pair()?;
    // Before any thread is started: a child has only the one that forked.
    match fork::fork()? {
        Fork::Child => {
            drop(from_daemon);
            go_into_background(reservation, to_terminal)
        }
        Fork::Parent(_) => {
            // Or we would wait for ourselves: the daemon's word ends when nobody can add to it.
            drop(to_terminal);
            let mut pid = String::new();
            from_daemon.read_to_string(&mut pid)?;
            if pid.is_empty() {
                return Err("the daemon could not start".into());
            }
            println!("running in the background as PID {pid}");
            // Our share of the reservation goes, and nothing happens: it is the daemon's now.
            Ok(())
        }
    }
}

fn go_into_background(
    reservation: Reservation,
    mut to_terminal: UnixStream,
) -> Result<(), Box<dyn Error>> {
    // Out of reach of the terminal's Ctrl-C and hang-up. A session's first process could get
    // another terminal by opening one, so the daemon is its second.
    fork::setsid()?;
    if let Fork::Parent(_) = fork::fork()? {
        return Ok(());
    }
    // No file system that we started in stays busy because of us.
    std::env::set_current_dir("/")?;
    // Before the PID is in the file, where others find it who want to end us.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;

    let guard = reservation.commit()?;

    // Until here an error was seen on the terminal; now it is told that all is well, and let go.
    // Whether it still listens does not matter.
    let _ = write!(to_terminal, "{}", guard.pid());
    drop(to_terminal);
    fork::redirect_stdio()?;

    // A real daemon starts its threads here. It ends when it is told to.
    signals.forever().next();

    // Last of all, for the next one may start as soon as the file is gone.
    guard.close()?;
    Ok(())
}
