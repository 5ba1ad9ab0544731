//! The attribute beside those of frameworks that take long to build: see
//! `tests/frameworks/tests/neighbours`.

#[macro_use]
#[path = "../../frameworks/tests/neighbours/orders.rs"]
mod orders;

use std::sync::mpsc;
use std::thread;

use embassy_executor::Executor;
use orders::{assert_held, assert_released, place};

below! { actix_main: #[actix_web::main]
    {
        async fn work() {
            actix_web::rt::task::yield_now().await;
            assert_held(HERE);
        }
    }
    work();
}

both! { actix_test: #[actix_web::test]
    {
        async fn holds_the_lock() {
            actix_web::rt::task::yield_now().await;
            assert_held(HERE);
        }
    }
}

both! { actix_handler: #[actix_web::get("/")]
    {
        async fn work() -> std::io::Result<&'static str> {
            assert_held(HERE);
            Ok("done")
        }
    }
    actix_web::rt::System::new().block_on(async {
        let app = actix_web::test::init_service(actix_web::App::new().service(work)).await;
        let request = actix_web::test::TestRequest::default().to_request();
        let response = actix_web::test::call_service(&app, request).await;
        assert!(response.status().is_success());
    });
}

both! { async_std_test: #[async_std::test]
    {
        async fn holds_the_lock() {
            async_std::task::yield_now().await;
            assert_held(HERE);
        }
    }
}

below! { rocket_main: #[rocket::main]
    {
        async fn main() {
            rocket::tokio::task::yield_now().await;
            assert_held(HERE);
        }
    }
    main();
}

/// Routes of rocket, which names of `macro_rules!` do not suit.
mod rocket_route {
    use std::io;

    use rocket::local::blocking::Client;

    use crate::orders::{assert_held, assert_released, place};

    #[pidlock_core::pidfile(path = place("rocket-above"))]
    #[rocket::get("/above")]
    async fn above() -> io::Result<&'static str> {
        assert_held("rocket-above");
        Ok("done")
    }

    #[rocket::get("/below")]
    #[pidlock_core::pidfile(path = place("rocket-below"))]
    async fn below() -> io::Result<&'static str> {
        assert_held("rocket-below");
        Ok("done")
    }

    #[test]
    fn lock_is_held() {
        let rocket = rocket::build().mount("/", rocket::routes![above, below]);
        let client = Client::untracked(rocket).expect("the routes are valid");
        for name in ["above", "below"] {
            let response = client.get(format!("/{name}")).dispatch();
            assert_eq!(response.into_string().as_deref(), Some("done"));
            assert_released(&format!("rocket-{name}"));
        }
    }
}

// `task` puts the attributes below it on a function that only makes the task, too.
above! { embassy_task: #[embassy_executor::task]
    {
        async fn work(done: mpsc::Sender<()>) {
            std::future::ready(()).await;
            assert_held(HERE);
            drop(done);
        }
    }
    {
        let (sender, receiver) = mpsc::channel();
        // The executor runs as long as the process.
        thread::spawn(|| {
            let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
            executor.run(|spawner| spawner.spawn(work(sender)).expect("no task runs"));
        });
        receiver.recv().expect_err("the sender is dropped without a message");
    };
}
