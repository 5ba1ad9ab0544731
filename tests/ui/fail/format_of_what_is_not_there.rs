use pidlock_core::{PidFileError, pidfile};

struct Opaque;

#[pidfile("worker-{number}")]
fn unknown() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("worker-{id")]
fn unclosed(id: u32) -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("worker-{id}")]
fn no_display(id: Opaque) -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    unknown()
        .and_then(|()| unclosed(7))
        .and_then(|()| no_display(Opaque))
        .unwrap();
}
