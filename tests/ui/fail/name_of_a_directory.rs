use pidlock_core::{PidFileError, pidfile};

#[pidfile(".")]
fn here() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("..")]
fn above() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    here().and_then(|()| above()).unwrap();
}
