use pidlock_core::{PidFileError, pidfile};

#[pidfile(file = "my_app.pid")]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", retry)]
fn work_alone() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().and_then(|()| work_alone()).unwrap();
}
