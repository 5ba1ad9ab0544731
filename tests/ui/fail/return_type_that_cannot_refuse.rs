use pidlock_core::pidfile;

struct Own;

#[pidfile("my_app")]
fn number() -> u32 {
    7
}

#[pidfile("my_app")]
fn option() -> Option<()> {
    Some(())
}

#[pidfile("my_app")]
fn own() -> Own {
    Own
}

#[pidfile("my_app")]
async fn asynchronous() -> bool {
    true
}

impl Own {
    #[pidfile("my_app")]
    fn by_value(self) -> Self {
        self
    }

    #[pidfile("my_app")]
    async fn by_value_async(self) -> (Self, u32) {
        (self, 7)
    }
}

fn main() {
    let _ = (number(), option(), own().by_value(), asynchronous(), Own.by_value_async());
}
