use pidlock_core::{PidFileError, pidfile};

#[pidfile("")]
fn positional() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(name = "")]
fn keyed() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(path = "")]
fn path() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    positional()
        .and_then(|()| keyed())
        .and_then(|()| path())
        .unwrap();
}
