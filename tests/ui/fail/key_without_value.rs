use pidlock_core::{PidFileError, pidfile};

#[pidfile(name, dir =, lock, mode = , on_signal, on_error, crate)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(path =)]
fn work_at() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().and_then(|()| work_at()).unwrap();
}
