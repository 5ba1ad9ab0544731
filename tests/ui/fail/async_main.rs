use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
async fn main() -> Result<(), PidFileError> {
    Ok(())
}

/// As `#[async_std::main]` above `#[pidfile]` expands.
mod async_std {
    use super::*;

    pub fn main() {
        #[pidfile("my_app")]
        async fn main() -> Result<(), PidFileError> {
            Ok(())
        }
        drop(main());
    }
}
