use pidlock_core::{PidFileError, pidfile};

trait Worker {
    #[pidfile("my_app")]
    fn work(&self) -> Result<(), PidFileError>;
}

unsafe extern "C" {
    #[pidfile("my_app")]
    fn getpid() -> i32;
}

struct Me;

impl Worker for Me {
    fn work(&self) -> Result<(), PidFileError> {
        Ok(())
    }
}

fn main() {
    Me.work().unwrap();
    assert!(unsafe { getpid() } > 0);
}
