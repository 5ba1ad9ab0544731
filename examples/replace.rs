//! A server that takes the place of the one that is running.
//!
//! `cargo run --example replace` is refused while another server runs. With `-- --replace` it stops
//! that server, waits until it is done, and takes over. If the old server is not done after ten
//! seconds, it goes on, and the new one fails.

#[cfg(unix)]
use {
    pidlock_core::PidFile,
    signal_hook::consts::{SIGINT, SIGTERM},
    signal_hook::iterator::Signals,
    std::error::Error,
    std::thread,
    std::time::Duration,
};

#[cfg(unix)]
/// How long the old server has to finish.
const GRACE: Duration = Duration::from_secs(10);

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    // Handle signals first: another start can send SIGTERM as soon as this one holds the pidfile.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    // A real server has its own directory, such as `/run/pidlock-replace`.
    let file = PidFile::new("pidlock-replace").temp_dir(true);
    let guard = match std::env::args().nth(1).as_deref() {
        None => file.acquire()?,
        Some("--replace") => file.replace(GRACE)?,
        Some(other) => return Err(format!("unknown option '{other}'").into()),
    };
    println!("serving as PID {}", guard.pid());

    signals.forever().next();
    println!("finishing what has begun");
    thread::sleep(Duration::from_millis(100));

    // Release last, because the new server starts as soon as the file is released.
    println!("done");
    guard.close()?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example needs Unix: it sends SIGTERM");
}
