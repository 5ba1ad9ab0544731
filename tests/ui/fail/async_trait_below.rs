use async_trait::async_trait;
use pidlock_core::{PidFileError, pidfile};

#[async_trait]
trait Worker {
    async fn work(&self) -> Result<(), PidFileError>;

    #[pidfile("my_app")]
    async fn work_by_default(&self) -> Result<(), PidFileError> {
        Ok(())
    }
}

struct Me;

#[async_trait]
impl Worker for Me {
    #[pidfile("my_app")]
    async fn work(&self) -> Result<(), PidFileError> {
        Ok(())
    }
}

fn main() {
    let _ = (Me.work(), Me.work_by_default());
}
