use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
async fn main() -> Result<(), PidFileError> {
    Ok(())
}
