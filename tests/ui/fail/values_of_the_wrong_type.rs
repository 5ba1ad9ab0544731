use pidlock_core::{PidFileError, pidfile};

#[pidfile(
    name = 7,
    dir = false,
    suffix = "yes",
    temp_dir = 1,
    mode = "0644",
    uid = "root",
    gid = -1,
    lock = 0,
    reentrant = "yes",
    keep = 1,
    on_signal = true,
    at_exit = None,
)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(path = id + 1)]
fn work_at(id: u32) -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().and_then(|()| work_at(7)).unwrap();
}
