use pidlock_core::{PidFileError, pidfile};

const NAME: &str = "my_app";

#[pidfile(NAME)]
fn constant() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(crate::NAME)]
fn path() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(concat!("my", "_app"))]
fn macro_call() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(name)]
fn parameter(name: &str) -> Result<(), PidFileError> {
    assert!(name.is_ascii());
    Ok(())
}

#[pidfile(name.trim())]
fn method_call(name: &str) -> Result<(), PidFileError> {
    assert!(name.is_ascii());
    Ok(())
}

#[pidfile(id)]
fn unknown_word(id: &str) -> Result<(), PidFileError> {
    assert!(id.is_ascii());
    Ok(())
}

#[pidfile(7)]
fn number() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(b"my_app")]
fn bytes() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(my_app, true)]
fn word() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    constant()
        .and_then(|()| path())
        .and_then(|()| macro_call())
        .and_then(|()| parameter(NAME))
        .and_then(|()| method_call(NAME))
        .and_then(|()| unknown_word(NAME))
        .and_then(|()| number())
        .and_then(|()| bytes())
        .and_then(|()| word())
        .unwrap();
}
