//! The program that the files in this folder run as a service.
//!
//! `my-app` stays in the foreground and logs to its standard output, for systemd, s6, runit and
//! containers. `my-app --background` forks and logs to a file, for start scripts. On SIGHUP, it opens
//! the log again. On SIGTERM or SIGINT, it ends.

#[cfg(unix)]
use {
    fork::Fork,
    pidlock_core::{PidFile, Reservation},
    signal_hook::consts::{SIGHUP, SIGINT, SIGTERM},
    signal_hook::iterator::Signals,
    std::error::Error,
    std::fs::File,
    std::io::{self, Write},
    std::time::Duration,
};

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGHUP, SIGTERM, SIGINT];

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    let file = PidFile::new("my-app").dir("/run/my-app");
    match std::env::args().nth(1).as_deref() {
        None => in_foreground(&file),
        Some("--background") => {
            let reservation = file.reserve()?;
            match fork::fork()? {
                Fork::Child => in_background(reservation),
                Fork::Parent(_) => {
                    reservation.wait_committed(Duration::from_secs(30))?;
                    Ok(())
                }
            }
        }
        Some(other) => Err(format!("unknown option '{other}'").into()),
    }
}

#[cfg(unix)]
fn in_foreground(file: &PidFile) -> Result<(), Box<dyn Error>> {
    // Handle signals first: as soon as the file contains the PID, other programs can send them.
    let signals = Signals::new(SIGNALS)?;
    let guard = file.acquire()?;
    serve(signals, || Ok(io::stdout()))?;
    guard.close()?;
    Ok(())
}

#[cfg(unix)]
fn in_background(reservation: Reservation) -> Result<(), Box<dyn Error>> {
    fork::setsid()?;
    if let Fork::Parent(_) = fork::fork()? {
        return Ok(());
    }
    std::env::set_current_dir("/")?;
    let signals = Signals::new(SIGNALS)?;
    // Try the log while an error still reaches the terminal.
    open_log()?;
    let guard = reservation.commit()?;
    fork::redirect_stdio()?;
    serve(signals, open_log)?;
    guard.close()?;
    Ok(())
}

#[cfg(unix)]
fn open_log() -> io::Result<File> {
    let path = "/var/log/my-app/my-app.log";
    File::options().create(true).append(true).open(path)
}

#[cfg(unix)]
fn serve<L: Write>(mut signals: Signals, open: impl Fn() -> io::Result<L>) -> io::Result<()> {
    let mut log = open()?;
    writeln!(log, "serving as PID {}", std::process::id())?;
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        log = open()?;
        writeln!(log, "opened the log again")?;
    }
    writeln!(log, "done")
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example needs Unix: it forks");
}
