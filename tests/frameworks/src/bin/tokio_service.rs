//! A tokio service. After its `main` returns, the runtime shuts down its tasks.

use std::error::Error;
use std::future::pending;
use std::path::PathBuf;

use pidlock_core::{PidFile, pidfile};
use tokio::task::{spawn, spawn_blocking};

/// Owned by a task that never completes, so it is dropped with the runtime.
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
    // At shutdown, a runtime waits only for blocking tasks that have started.
    let (begun, begin) = tokio::sync::oneshot::channel();
    spawn_blocking(|| {
        let _ = begun.send(());
        pidlock_frameworks::work()
    });
    begin.await?;
    println!("main returns");
    Ok(())
}
