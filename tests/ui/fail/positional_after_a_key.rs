use pidlock_core::{PidFileError, pidfile};

#[pidfile(dir = "/run", "my_app")]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
