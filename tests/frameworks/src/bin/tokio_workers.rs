//! Workers in tokio tasks, whose entry functions have the attribute. The exit status is the number
//! of refused workers.

use std::process::ExitCode;

use pidlock_core::{PidFileError, pidfile};
use tokio::sync::watch::{Receiver, channel};
use tokio::task::{JoinSet, spawn_blocking};

#[pidfile("queue-{queue}", temp_dir = true)]
async fn drain(queue: &'static str, mut stop: Receiver<()>) -> Result<(), PidFileError> {
    println!("draining {queue}");
    let _ = stop.changed().await;
    Ok(())
}

/// A refused call panics, which only the `JoinHandle` reports.
#[pidfile("expiry", temp_dir = true)]
async fn expire(mut stop: Receiver<()>) {
    println!("expiring");
    let _ = stop.changed().await;
}

#[tokio::main]
async fn main() -> ExitCode {
    let (stopper, stop) = channel(());
    let mut workers = JoinSet::new();
    for queue in ["mail", "print"] {
        workers.spawn(drain(queue, stop.clone()));
    }
    let expiry = tokio::spawn(expire(stop));
    let _ = spawn_blocking(pidlock_frameworks::work).await;
    drop(stopper);

    let mut refused = 0;
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended.expect("a worker does not panic") {
            println!("{error}");
            refused += 1;
        }
    }
    refused += u8::from(expiry.await.is_err_and(|error| error.is_panic()));
    refused.into()
}
