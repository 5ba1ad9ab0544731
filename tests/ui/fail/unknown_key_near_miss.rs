use pidlock_core::{PidFileError, pidfile};

#[pidfile(nmae = "my_app", onerror = |error| Err(error))]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
