//! A server that is upgraded without a refused connection.
//!
//! `cargo run --example upgrade -- 8080` counts the bytes that a client sends, for example
//! `nc -N 127.0.0.1 8080 < README.md`. After `kill -HUP $(cat PIDFILE)` a new process of this program
//! serves the same socket, and this one ends as soon as it has answered its clients. A unit of systemd
//! is `services/upgrade.service`.

#[cfg(unix)]
use {
    pidlock_core::{PidFile, PidGuard},
    sd_notify::{NotifyState, notify},
    std::error::Error,
    std::io,
    std::net::{self, Ipv4Addr},
    std::os::fd::{AsFd, OwnedFd},
    std::process::Command,
    std::time::Duration,
    tokio::io::{AsyncReadExt, AsyncWriteExt},
    tokio::net::{TcpListener, TcpStream},
    tokio::signal::unix::{SignalKind, signal},
    tokio::task::{JoinSet, spawn_blocking},
};

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before the file names this process, so that no signal is lost.
    let mut upgrade = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // In a successor, this takes over the file of its predecessor.
    let mut guard = PidFile::new("pidlock-upgrade").temp_dir(true).acquire()?;
    let listener = listener()?;
    println!("{} serves {}", guard.pid(), listener.local_addr()?);
    notify(&[NotifyState::Ready])?;

    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                requests.spawn(count_bytes(accepted?.0));
            }
            Some(_) = requests.join_next() => {}
            _ = terminate.recv() => break,
            _ = upgrade.recv() => {
                let socket = listener.as_fd().try_clone_to_owned()?;
                match spawn_blocking(move || hand_over(guard, socket)).await?? {
                    Some(kept) => guard = kept,
                    None => break,
                }
            }
        }
    }

    // Connections that nothing has accepted are the successor's.
    drop(listener);
    while requests.join_next().await.is_some() {}
    Ok(())
}

#[cfg(unix)]
/// Starts a successor. Returns the guard if it does not take over.
fn hand_over(guard: PidGuard, socket: OwnedFd) -> io::Result<Option<PidGuard>> {
    let mut successor = Command::new(std::env::current_exe()?);
    match guard.hand_over(successor.stdin(socket), Duration::from_secs(30)) {
        Ok(child) => {
            notify(&[NotifyState::MainPid(child.id())])?;
            Ok(None)
        }
        Err(failed) => {
            eprintln!("{failed}");
            if let Some(mut child) = failed.child {
                child.kill()?;
                child.wait()?;
            }
            Ok(Some(failed.guard))
        }
    }
}

#[cfg(unix)]
/// The socket that a predecessor has passed on as the standard input, or else a new one.
fn listener() -> Result<TcpListener, Box<dyn Error>> {
    let input = net::TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listener = match input.local_addr() {
        Ok(_) => input,
        Err(_) => net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?,
    };
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

#[cfg(unix)]
async fn count_bytes(mut client: TcpStream) -> io::Result<()> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await?;
    let answer = format!("{} bytes\n", bytes.len());
    client.write_all(answer.as_bytes()).await
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example needs Unix: it passes on file descriptors");
}
