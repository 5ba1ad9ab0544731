use pidlock_core::{PidFileError, pidfile};

#[pidfile(path = pathh, mode = mode())]
fn work(path: &str) -> Result<(), PidFileError> {
    let local = path;
    assert!(local.is_empty());
    Ok(())
}

#[pidfile(path = self.path)]
fn no_method(path: &str) -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work("").and_then(|()| no_method("")).unwrap();
}
