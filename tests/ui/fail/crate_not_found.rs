use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", crate = my_facade::pidlock)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
