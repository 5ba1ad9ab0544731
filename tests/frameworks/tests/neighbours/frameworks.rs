//! Attributes of frameworks that change a function or use it.

use std::io;

use async_recursion::async_recursion;
use axum::debug_handler;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tracing::instrument;

use crate::Refused;
use crate::orders::{assert_held, assert_released, place};

both! { instrumented: #[instrument(ret)]
    {
        fn work(number: u32) -> io::Result<u32> {
            assert_held(HERE);
            Ok(number)
        }
    }
    assert_eq!(work(3).expect("no other process has the lock"), 3);
}

both! { instrumented_future: #[instrument(err)]
    {
        async fn work(number: u32) -> io::Result<u32> {
            std::future::ready(()).await;
            assert_held(HERE);
            Ok(number)
        }
    }
    assert_eq!(pollster::block_on(work(3)).expect("no other process has the lock"), 3);
}

// The recursive calls need `reentrant`, or a name that differs.
above! { recursive_future: #[async_recursion]
    {
        async fn work(number: u32) -> io::Result<u32> {
            std::future::ready(()).await;
            assert_held(HERE);
            Ok(number)
        }
    }
    assert_eq!(pollster::block_on(work(3)).expect("no other process has the lock"), 3);
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        StatusCode::CONFLICT.into_response()
    }
}

both! { handler: #[debug_handler]
    {
        async fn work(body: String) -> Result<String, Refused> {
            std::future::ready(()).await;
            assert_held(HERE);
            Ok(body)
        }
    }
    assert_eq!(pollster::block_on(work("x".to_owned())), Ok("x".to_owned()));
}
