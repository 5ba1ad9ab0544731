//! Workers in threads, whose entry functions have the attribute. The exit status is the number of
//! refused workers.

use std::io;
use std::process::ExitCode;
use std::thread;

use pidlock_core::{PidFileError, pidfile};

#[pidfile("sweeper", temp_dir = true)]
fn sweep() -> io::Result<()> {
    println!("sweeping");
    pidlock_frameworks::work()
}

/// A refused call panics, which only the `JoinHandle` reports.
#[pidfile("watcher", temp_dir = true)]
fn watch() {
    println!("watching");
    let _ = pidlock_frameworks::work();
}

#[pidfile(name = "shard-{shard}", temp_dir = true)]
fn sum(shard: usize, rows: &[u32]) -> Result<u32, PidFileError> {
    println!("shard {shard}");
    let _ = pidlock_frameworks::work();
    Ok(rows.iter().sum())
}

fn main() -> ExitCode {
    let sweeper = thread::spawn(sweep);
    let watcher = thread::spawn(watch);
    let rows: Vec<u32> = (1..=6).collect();
    let (mut total, mut refused) = (0, 0);
    thread::scope(|scope| {
        let shards = rows.chunks(2).enumerate();
        let shards = shards.map(|(shard, rows)| scope.spawn(move || sum(shard, rows)));
        for shard in shards.collect::<Vec<_>>() {
            match shard.join().expect("a shard does not panic") {
                Ok(sum) => total += sum,
                Err(error) => {
                    println!("{error}");
                    refused += 1;
                }
            }
        }
    });
    println!("total {total}");
    if let Err(error) = sweeper.join().expect("the sweeper does not panic") {
        println!("{error}");
        refused += 1;
    }
    refused += u8::from(watcher.join().is_err());
    refused.into()
}
