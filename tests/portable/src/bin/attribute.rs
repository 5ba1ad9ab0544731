//! The attribute on `main`. Holds the file that the environment variable `PIDFILE` names until the input ends.

use pidlock_core::pidfile;

#[pidfile(path = std::env::var_os("PIDFILE").unwrap())]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    pidlock_portable::stay_inside();
    Ok(())
}
