use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", mode = 644)]
fn decimal() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", mode = 0600)]
fn as_in_c() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", mode = 6_40u32)]
fn suffix() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", mode = 420)]
fn value_of_0o644() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", mode = 493)]
fn value_of_0o755() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", mode = 0o4755)]
fn more_than_permissions() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    decimal()
        .and_then(|()| as_in_c())
        .and_then(|()| suffix())
        .and_then(|()| value_of_0o644())
        .and_then(|()| value_of_0o755())
        .and_then(|()| more_than_permissions())
        .unwrap();
}
