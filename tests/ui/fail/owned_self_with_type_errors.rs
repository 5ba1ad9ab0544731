use pidlock_core::{PidFileError, pidfile};

struct Server {
    port: u16,
}

impl Server {
    #[pidfile("my_app")]
    fn by_value(self) -> Result<u16, PidFileError> {
        self.prot
    }

    #[pidfile("my_app")]
    async fn by_value_async(self) -> Result<u16, PidFileError> {
        Ok(self.port.to_string())
    }

    #[pidfile("my_app")]
    fn moved_self(self) -> Result<Self, PidFileError> {
        drop(self);
        Ok(self)
    }
}

fn main() {}
