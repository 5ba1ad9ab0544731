use pidlock_core::{PidFileError, pidfile};

#[pidfile(name: "my_app", dir("/run"), mode == 0o644, suffix false)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(name => "my_app", dir => "/run", keep => true, mode: 0o644)]
fn other_signs() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(nmae => "my_app", chmod: 0o644)]
fn unknown() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().and_then(|()| other_signs()).and_then(|()| unknown()).unwrap();
}
