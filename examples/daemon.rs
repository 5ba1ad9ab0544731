//! A daemon that reports to its terminal whether it started.
//!
//! `cargo run --example daemon` prints the daemon's PID. If a daemon is running already, it prints
//! that daemon's PID and exits with status 1. After `kill PID` the daemon removes its pidfile and
//! exits. After `kill -9 PID` the next start takes over the stale pidfile.

#[cfg(unix)]
use {
    fork::Fork,
    pidlock_core::{PidFile, Reservation},
    signal_hook::consts::{SIGINT, SIGTERM},
    signal_hook::iterator::Signals,
    std::error::Error,
    std::time::Duration,
};

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    // Reserve while stderr is still a terminal. From here on every other start is refused.
    // A real daemon has its own directory, such as `/run/pidlock-daemon`.
    let reservation = PidFile::new("pidlock-daemon").temp_dir(true).reserve()?;
    // Fork before starting threads: a child has only the thread that forked.
    match fork::fork()? {
        Fork::Child => go_into_background(reservation),
        Fork::Parent(_) => {
            // Exit only after the commit: a service manager that waits for this exit then finds the
            // daemon's PID in the file.
            let pid = reservation.wait_committed(Duration::from_secs(30))?;
            println!("running in the background as PID {pid}");
            Ok(())
        }
    }
}

#[cfg(unix)]
fn go_into_background(reservation: Reservation) -> Result<(), Box<dyn Error>> {
    // A new session does not receive the terminal's Ctrl-C and hangup. The second fork makes the
    // daemon a process that is not the session leader and cannot acquire a terminal.
    fork::setsid()?;
    if let Fork::Parent(_) = fork::fork()? {
        return Ok(());
    }
    // Do not keep the file system of the current directory busy.
    std::env::set_current_dir("/")?;
    // Install the handlers before the PID is in the file, because from then on other programs can
    // send signals to it.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;

    let guard = reservation.commit()?;
    fork::redirect_stdio()?;

    // A real daemon starts its threads here.
    signals.forever().next();

    // Release last, because another instance can start as soon as the file is removed.
    guard.close()?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example needs Unix: it forks");
}
