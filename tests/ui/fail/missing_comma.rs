use pidlock_core::{PidFileError, pidfile};

#[pidfile(name = "my_app" dir = "/run", moed = 0o600)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app" keep)]
fn work_of_a_name() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app"; keep, , reentrant)]
fn punctuation() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work()
        .and_then(|()| work_of_a_name())
        .and_then(|()| punctuation())
        .unwrap();
}
