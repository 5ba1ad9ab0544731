use pidlock_core::{PidFileError, pidfile};

// Under a name that `#[pidfile]` does not know.
use async_recursion::async_recursion as boxed;

#[pidfile("my_app")]
#[boxed]
async fn future((number, _): (u8, u8)) -> Result<u8, PidFileError> {
    Ok(number)
}

fn main() {}
