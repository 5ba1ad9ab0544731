//! Workers of which each runs once on the machine, in whatever process.
//!
//! `cargo run --example workers -- 0 1 2` starts a thread for each number. Start it again with
//! `2 3` meanwhile: worker 2 is busy, worker 3 runs. A worker works for five seconds, or as many as
//! the variable `WORK_SECONDS` says.

use std::error::Error;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFileError, pidfile};

/// What is in the braces is taken from the parameters, at each call.
#[pidfile(name = "worker-{id}", temp_dir = true)]
fn work(id: u32, time: Duration) -> Result<(), PidFileError> {
    println!("worker {id} runs in process {}", std::process::id());
    thread::sleep(time);
    println!("worker {id} is done");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::var("WORK_SECONDS").map_or(Ok(5), |seconds| seconds.parse())?;
    let mut ids = std::env::args()
        .skip(1)
        .map(|id| id.parse())
        .collect::<Result<Vec<u32>, _>>()?;
    if ids.is_empty() {
        ids = vec![0, 1, 2];
    }
    thread::scope(|scope| {
        for id in ids {
            scope.spawn(move || match work(id, Duration::from_secs(seconds)) {
                Ok(()) => {}
                Err(error) if error.is_contention() => println!("worker {id} is busy: {error}"),
                Err(error) => eprintln!("worker {id} cannot start: {error}"),
            });
        }
    });
    Ok(())
}
