use pidlock_core::PidFileError;

struct Server {
    port: u16,
}

#[pidlock_core::pidfile("my_app")]
fn mismatch(port: u16) -> Result<(), PidFileError> {
    let text: String = port;
    serve(text)?;
    Ok(())
}

#[pidlock_core::pidfile("my_app")]
fn no_tail(port: u16) -> Result<u16, PidFileError> {
    let _ = port + 1;
}

#[pidlock_core::pidfile("my_app")]
async fn tail(port: u16) -> Result<u16, PidFileError> {
    port
}

#[pidlock_core::pidfile("my_app")]
fn returned(port: u16) -> Result<u16, PidFileError> {
    if port == 0 {
        return "no port";
    }
    Ok(port)
}

#[pidlock_core::pidfile("my_app")]
fn moved(server: Server) -> Result<u16, PidFileError> {
    drop(server);
    Ok(server.port)
}

fn main() {}
