use pidlock_core::{PidFileError, pidfile};

#[pidfile(name = "a", keep, name = "b", keep = false)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("a", name = "b")]
fn work_of_a_name() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("a", "b")]
fn work_of_two_names() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work()
        .and_then(|()| work_of_a_name())
        .and_then(|()| work_of_two_names())
        .unwrap();
}
