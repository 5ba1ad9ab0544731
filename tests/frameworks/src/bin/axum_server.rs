//! An axum web server that completes the requests in progress when it receives SIGTERM.

use std::error::Error;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::post;
use pidlock_core::pidfile;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

async fn count(body: Body) -> Result<String, StatusCode> {
    println!("counting");
    let body = to_bytes(body, 1 << 20).await;
    let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(format!("{} bytes\n", body.len()))
}

#[tokio::main]
#[pidfile("axum_server", temp_dir = true)]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/count", post(count));
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
            println!("ending");
        })
        .await?;
    Ok(())
}
