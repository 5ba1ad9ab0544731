//! A server that finishes open requests before it exits, and holds its pidfile until then.
//!
//! `cargo run --example graceful -- 8080` counts the words that a client sends, for example
//! `nc -N 127.0.0.1 8080 < README.md`. Without an argument, the system chooses the port.
//!
//! To see the graceful exit, run `nc 127.0.0.1 8080`, type some words, press Ctrl-C at the server,
//! and type more words. After Ctrl-D in `nc`, the server answers and exits. Until then, a second
//! server is refused.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use pidlock_core::pidfile;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{ctrl_c, ctrl_close};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The time limit for open requests. Shorter than the time after which a service manager kills the
/// server, which is 90 seconds by default in systemd.
const GRACE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
#[pidfile(name = "pidlock-graceful", temp_dir = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    // From here on tokio handles these signals, so pidlock leaves them alone.
    #[cfg(unix)]
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    #[cfg(windows)]
    let (mut terminate, mut interrupt) = (ctrl_close()?, ctrl_c()?);
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("serving on {}", listener.local_addr()?);

    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    println!("request from {client}");
                    requests.spawn(count_words(stream));
                }
                Err(error) => eprintln!("cannot accept: {error}"),
            },
            Some(_) = requests.join_next() => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }

    // Refuse new clients at once instead of leaving them without an answer.
    drop(listener);
    println!("finishing what has begun");
    let finish = async { while requests.join_next().await.is_some() {} };
    if timeout(GRACE, finish).await.is_err() {
        println!("giving up on {} requests", requests.len());
    }
    println!("done");
    Ok(())
}

async fn count_words(mut stream: TcpStream) -> io::Result<()> {
    let (text, mut answer) = stream.split();
    let mut lines = BufReader::new(text).lines();
    let mut words = 0;
    while let Some(line) = lines.next_line().await? {
        words += line.split_whitespace().count();
    }
    answer
        .write_all(format!("{words} words\n").as_bytes())
        .await
}
