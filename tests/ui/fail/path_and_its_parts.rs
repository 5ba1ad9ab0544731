use pidlock_core::{PidFileError, pidfile};

#[pidfile(name = "my_app", path = "/run/my_app.pid", dir = "/run", suffix = false, temp_dir = true)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", path = "/run/my_app.pid")]
fn work_of_a_name() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().and_then(|()| work_of_a_name()).unwrap();
}
