use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), PidFileError> {
    Ok(())
}
