//! Jobs behind `dyn`, with `#[async_trait]`. A method that this attribute rewrites only creates a
//! future, so it calls an `async fn` with `#[pidfile]`.

use std::process::ExitCode;

use async_trait::async_trait;
use pidlock_core::{PidFileError, pidfile};
use tokio::task::{JoinSet, spawn_blocking};

#[async_trait]
trait Job: Send + Sync {
    async fn run(&self) -> Result<(), PidFileError>;
}

struct Backup {
    target: String,
}

impl Backup {
    #[pidfile(name = format!("backup-{}", self.target), temp_dir = true)]
    async fn alone(&self) -> Result<(), PidFileError> {
        println!("backing up {}", self.target);
        let _ = spawn_blocking(pidlock_frameworks::work).await;
        Ok(())
    }
}

#[async_trait]
impl Job for Backup {
    async fn run(&self) -> Result<(), PidFileError> {
        self.alone().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let jobs = ["disk", "mail"].map(|target| -> Box<dyn Job> {
        let target = target.to_owned();
        Box::new(Backup { target })
    });
    let mut running = JoinSet::new();
    for job in jobs {
        running.spawn(async move { job.run().await });
    }
    let mut refused = 0;
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended.expect("a job does not panic") {
            println!("{error}");
            refused += 1;
        }
    }
    refused.into()
}
