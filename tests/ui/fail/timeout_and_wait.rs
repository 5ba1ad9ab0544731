use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", timeout = None, wait)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
