use pidlock_core::pidfile;

struct Server;

#[pidfile("my_app")]
fn question_mark(text: &str) {
    let port: u16 = text.parse()?;
    drop(port);
}

impl Server {
    #[pidfile("my_app")]
    fn by_value(self, text: &str) {
        let port: u16 = text.parse()?;
        drop(port);
    }

    #[pidfile("my_app")]
    async fn by_value_async(self, text: &str) {
        let port: u16 = text.parse()?;
        drop(port);
    }
}

fn main() {
    question_mark("");
    Server.by_value("");
    drop(Server.by_value_async(""));
}
