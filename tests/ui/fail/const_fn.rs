use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
const fn work() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app")]
pub const unsafe fn work_unsafe() {}

fn main() {
    work().unwrap();
    unsafe { work_unsafe() };
}
