use pidlock_core::{PidFileError, pidfile};

#[pidfile(name: "my_app", dir("/run"), mode == 0o644, suffix false)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
