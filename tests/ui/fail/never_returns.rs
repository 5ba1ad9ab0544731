use pidlock_core::pidfile;

struct Server;

impl Server {
    #[pidfile("my_app")]
    async fn returns(self) -> ! {
        7
    }

    #[pidfile("my_app")]
    async fn ends(self) -> ! {
        drop(self);
    }

    #[pidfile("my_app")]
    async fn leaves(self) -> ! {
        if true {
            return 7;
        }
        loop {}
    }

    #[pidfile("my_app")]
    fn synchronous(self) -> ! {
        drop(self);
    }
}

fn main() {
    let _ = (Server.returns(), Server.ends(), Server.leaves());
    Server.synchronous();
}
