use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
fn work(port: ) -> Result<(), PidFileError> {
    Ok(())
}

fn main() {}
