use pidlock_core::PidFileError;

struct Server {
    port: u16,
}

#[pidlock_core::pidfile("my_app")]
fn work(server: Server) -> Result<(), PidFileError> {
    server.
}

fn main() {
    work(Server { port: 80 }).unwrap();
}
