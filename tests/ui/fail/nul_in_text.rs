use pidlock_core::{PidFileError, pidfile};

#[pidfile("my\0app", dir = "/run\0")]
fn name() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(path = "/run/{id}\0")]
fn path(id: u32) -> Result<(), PidFileError> {
    assert!(id > 0);
    Ok(())
}

fn main() {
    name().and_then(|()| path(7)).unwrap();
}
