use pidlock_core::PidFileError;

struct Server {
    port: u16,
}

impl Server {
    #[pidlock_core::pidfile("my_app")]
    async fn work(self) -> Result<(), PidFileError> {
        let port = self.;
        Ok(())
    }
}

fn main() {
    let _ = Server { port: 80 }.work();
}
