//! A command with `run`, `status` and `stop`.
//!
//! `cargo run --example control -- run` works until it is stopped. Meanwhile, in another terminal,
//! `control status` prints the PID, and `control stop` ends it and waits until it has ended. Windows
//! has no `stop`.

use std::error::Error;
use std::thread;
use std::time::Duration;

use pidlock_core::PidFile;

fn main() -> Result<(), Box<dyn Error>> {
    let file = PidFile::new("pidlock-control").temp_dir(true);
    match std::env::args().nth(1).as_deref() {
        Some("run") => {
            let _guard = file.acquire()?;
            work();
        }
        Some("status") => println!("{}", file.status()?),
        #[cfg(unix)]
        Some("stop") => match file.stop(Duration::from_secs(10))? {
            true => println!("stopped"),
            false => println!("was not running"),
        },
        _ => return Err("usage: control run|status|stop".into()),
    }
    Ok(())
}

fn work() {
    println!("working");
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}
