//! A daemon that handles signals with signal-hook, and takes some time to shut down.

use std::io;

use pidlock_core::{PidFileError, pidfile};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

/// The reason why the daemon cannot run.
#[derive(Debug)]
enum Failure {
    Running(#[expect(dead_code, reason = "shown by Debug")] PidFileError),
    Io(#[expect(dead_code, reason = "shown by Debug")] io::Error),
}

impl From<PidFileError> for Failure {
    fn from(error: PidFileError) -> Self {
        Self::Running(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[pidfile("signal_hook_daemon", temp_dir = true)]
fn main() -> Result<(), Failure> {
    let mut signals = Signals::new([SIGHUP, SIGTERM])?;
    println!("serving");
    for signal in signals.forever() {
        if signal == SIGTERM {
            break;
        }
        println!("configuration read again");
    }
    println!("ending");
    pidlock_frameworks::work()?;
    Ok(())
}
