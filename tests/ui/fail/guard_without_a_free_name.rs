use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", guard = job)]
fn taken(job: u32) -> Result<u32, PidFileError> {
    Ok(job)
}

#[pidfile("my_app", guard = job)]
fn taken_in_a_pattern((_, job): (u32, u32)) -> Result<u32, PidFileError> {
    Ok(job)
}

#[pidfile("my_app", guard = "lock")]
fn not_a_name() -> Result<(), PidFileError> {
    lock.verify()
}

fn main() {}
