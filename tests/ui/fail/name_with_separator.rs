use pidlock_core::{PidFileError, pidfile};

#[pidfile("a/b")]
fn positional() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(name = "/run/{id}.pid")]
fn formatted(id: u32) -> Result<(), PidFileError> {
    assert!(id > 0);
    Ok(())
}

fn main() {
    positional().and_then(|()| formatted(7)).unwrap();
}
