use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", crate = "text")]
fn text() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", crate = "not a path")]
fn other_text() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", crate = 7)]
fn number() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", crate = pidlock_core())]
fn call() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", crate = ?)]
fn mark() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    text()
        .and_then(|()| other_text())
        .and_then(|()| number())
        .and_then(|()| call())
        .and_then(|()| mark())
        .unwrap();
}
