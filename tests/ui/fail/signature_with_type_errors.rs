use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app")]
fn parameter(server: Serverr, (port, _): (u16, Prot)) -> Result<u16, PidFileError> {
    Ok(port)
}

#[pidfile("my_app")]
fn returned() -> Result<Serverr, PidFileError> {
    todo!()
}

#[pidfile("my_app")]
async fn returned_async() -> Result<(), AppError> {
    Ok(())
}

struct Server;

impl Server {
    #[pidfile("my_app")]
    fn by_value(self) -> Serverr {
        todo!()
    }
}

#[pidfile("my_app")]
fn called(port: u16) -> Result<(), PidFileError> {
    assert!(port > 0);
    Ok(())
}

fn main() {
    called("80").unwrap();
    called().unwrap();
    let _: u16 = called(80);
}
