//! A server that, told to end, finishes what it has begun. Until then it holds its pidfile.
//!
//! `cargo run --example graceful -- 8080` counts the words of what it is sent, for example by
//! `nc -N 127.0.0.1 8080 < README.md`. Type to it instead (`nc 127.0.0.1 8080`), press Ctrl-C at
//! the server, and go on typing: you still get your answer at the end (Ctrl-D), and only then a
//! new server can start. Without a number the system chooses a port.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use pidlock_core::pidfile;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What a service manager may wait before it kills; systemd's own default is 90 seconds.
const GRACE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
#[pidfile(name = "pidlock-graceful", temp_dir = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    // From here on these two signals end nothing by themselves: who has the pidfile removed when
    // one comes stands back, because this program has its own way to end.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
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

    // New clients are refused at once instead of left without an answer.
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
