//! Workers that each run only once at a time on the machine, in any thread of any process.
//!
//! `cargo run --example workers -- 0 1 2` starts a thread for each ID. If a second process runs
//! `workers -- 2 3` in the meantime, worker 2 is busy and worker 3 runs. A worker works for five
//! seconds, or for the number of seconds in the environment variable `WORK_SECONDS`.

use std::error::Error;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFileError, pidfile};

/// Each call replaces `{id}` by the value of the parameter.
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
