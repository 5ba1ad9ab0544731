//! A service on tokio. When `main` has returned, the runtime still has to end what it runs.

use std::error::Error;
use std::future::pending;
use std::path::PathBuf;

use pidlock_core::{PidFile, pidfile};
use tokio::task::{spawn, spawn_blocking};

/// Belongs to a task that never ends: dropped with the runtime.
struct Connection {
    pidfile: PathBuf,
}

impl Drop for Connection {
    fn drop(&mut self) {
        println!(
            "connection closed, pidfile there: {}",
            self.pidfile.exists()
        );
    }
}

#[tokio::main]
#[pidfile("tokio_service", temp_dir = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let pidfile = PidFile::new("tokio_service").temp_dir(true).path()?;
    let connection = Connection { pidfile };
    spawn(async move {
        let _connection = connection;
        pending::<()>().await;
    });
    // A runtime waits for what it has begun to run in its pool of blocking threads.
    let (begun, begin) = tokio::sync::oneshot::channel();
    spawn_blocking(|| {
        let _ = begun.send(());
        pidlock_frameworks::work()
    });
    begin.await?;
    println!("main returns");
    Ok(())
}
