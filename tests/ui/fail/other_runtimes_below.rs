use pidlock_core::{PidFileError, pidfile};

// Attributes named like those of other runtimes. The macro sees only the names.
mod actix_web {
    pub use tokio::main;
}
mod async_std {
    pub use tokio::main;
}

mod first {
    use super::*;

    #[pidfile("my_app")]
    #[actix_web::main(flavor = "current_thread")]
    async fn main() -> std::io::Result<()> {
        Ok(())
    }

    pub fn run() {
        main().unwrap();
    }
}

mod second {
    use super::*;

    #[pidfile("my_app")]
    /// With other attributes in between.
    #[allow(clippy::unused_async)]
    #[crate::async_std::main(flavor = "current_thread")]
    async fn main() -> Result<(), PidFileError> {
        Ok(())
    }

    pub fn run() {
        main().unwrap();
    }
}

mod third {
    use super::async_std::main;
    use super::*;

    #[pidfile("my_app")]
    #[main(flavor = "current_thread")]
    async fn start() -> Result<(), PidFileError> {
        Ok(())
    }

    pub fn run() {
        start().unwrap();
    }
}

fn main() {
    first::run();
    second::run();
    third::run();
}
