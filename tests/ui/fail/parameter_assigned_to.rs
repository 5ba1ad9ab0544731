use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
fn immutable(port: u16) -> Result<u16, PidFileError> {
    port += 1;
    Ok(port)
}

fn main() {
    immutable(7).unwrap();
}
