//! Attributes that start an executor.

use crate::orders::{assert_held, assert_released, place};

below! { tokio_main: #[tokio::main(flavor = "current_thread")]
    {
        async fn work() {
            tokio::task::yield_now().await;
            assert_held(HERE);
        }
    }
    work();
}

below! { pollster_main: #[pollster::main]
    {
        async fn work() {
            std::future::ready(()).await;
            assert_held(HERE);
        }
    }
    work();
}
