//! Starts, uses and ends the long-running examples as a user would.

#![cfg(unix)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pidlock_tests::{Program, example, run, said, text};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Runs `kill OPTIONS $(cat PIDFILE)`.
fn kill(options: &str, pidfile: &Path) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "kill $1 $(cat \"$2\")", "-", options])
        .arg(pidfile);
    let output = run(&mut shell);
    assert!(output.status.success(), "{}", said(&output));
}

/// Returns the message of a refused start.
fn refusal(pidfile: &Path, pid: &str) -> String {
    let path = pidfile.display();
    format!("Error: pidfile '{path}' already locked by PID {pid}\n")
}

/// A daemon. It is not a child of the test, and is killed if the test fails.
struct Daemon {
    pidfile: PathBuf,
}

impl Daemon {
    /// Starts a daemon, and waits until it runs in the background.
    fn start(dir: &Path) -> Self {
        // `run` reads the output until the daemon has closed it too.
        let output = run(&mut example("daemon", dir));
        assert!(output.status.success(), "{}", said(&output));
        let daemon = Self {
            pidfile: dir.join("pidlock-daemon.pid"),
        };
        let words = format!("running in the background as PID {}\n", daemon.pid());
        assert_eq!(said(&output), words);
        daemon
    }

    fn pid(&self) -> String {
        text(&self.pidfile).trim_end().to_owned()
    }

    fn end(&self, options: &str) {
        let pid = self.pid().parse().ok().and_then(Pid::from_raw);
        let process =
            pidfd_open(pid.expect("parse the PID"), PidfdFlags::empty()).expect("open the process");
        kill(options, &self.pidfile);
        // Do not wait for the lock of the file instead: this test would acquire it.
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).expect("wait for the process");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.pid().is_empty() {
            kill("-9", &self.pidfile);
        }
    }
}

#[test]
fn daemon_refuses_second_start_until_signal_ends_it() {
    let dir = tempfile::tempdir().expect("create a directory");
    for signal in ["-TERM", "-INT"] {
        let daemon = Daemon::start(dir.path());
        let second = run(&mut example("daemon", dir.path()));
        assert_eq!(second.status.code(), Some(1));
        assert_eq!(said(&second), refusal(&daemon.pidfile, &daemon.pid()));
        daemon.end(signal);
        assert!(!daemon.pidfile.exists());
    }
}

#[test]
fn daemon_starts_again_after_kill_9() {
    let dir = tempfile::tempdir().expect("create a directory");
    let killed = Daemon::start(dir.path());
    let pid = killed.pid();
    killed.end("-9");
    assert_eq!(
        killed.pid(),
        pid,
        "a killed process cannot remove its pidfile"
    );
    let next = Daemon::start(dir.path());
    assert_ne!(next.pid(), pid);
    next.end("-TERM");
    assert!(!next.pidfile.exists());
}

#[test]
fn daemon_detaches_from_terminal_and_directory() {
    let dir = tempfile::tempdir().expect("create a directory");
    let daemon = Daemon::start(dir.path());
    let proc = Path::new("/proc").join(daemon.pid());
    let points_to = |name: &str| fs::read_link(proc.join(name)).expect("read a link of the daemon");
    assert_eq!(points_to("cwd"), Path::new("/"));
    for output in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(points_to(output), Path::new("/dev/null"));
    }
    // After the program's name: state, parent, process group, session, terminal (proc(5)).
    let stat = text(&proc.join("stat"));
    let (_, fields) = stat.rsplit_once(") ").expect("find the end of the name");
    let fields: Vec<_> = fields.split(' ').collect();
    assert_ne!(
        fields[3],
        daemon.pid(),
        "the daemon must not lead its session"
    );
    assert_eq!(fields[4], "0", "the daemon must have no terminal");
    daemon.end("-TERM");
}

/// Starts a server, and returns it with its address.
fn serve(dir: &Path) -> (Program, String) {
    let mut server = Program::start(&mut example("graceful", dir));
    let line = server.line();
    let address = line.strip_prefix("serving on ").expect(&line).to_owned();
    (server, address)
}

/// Connects a client, and waits until the server has accepted its request.
fn begin(server: &mut Program, address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("connect to the server");
    client.write_all(b"one two ").expect("send words");
    let me = client.local_addr().expect("get the address of the client");
    server.expect(&format!("request from {me}"));
    client
}

/// Sends the rest of the request, and returns the answer.
fn finish(mut client: TcpStream) -> String {
    client.write_all(b"three\nfour\n").expect("send more words");
    client.shutdown(Shutdown::Write).expect("end the request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("read the answer");
    answer
}

#[test]
fn graceful_on_signal_holds_pidfile_until_request_is_done() {
    let dir = tempfile::tempdir().expect("create a directory");
    let pidfile = dir.path().join("pidlock-graceful.pid");
    for signal in ["-TERM", "-INT"] {
        let (mut server, address) = serve(dir.path());
        assert_eq!(text(&pidfile), format!("{}\n", server.pid()));
        let earlier = begin(&mut server, &address);
        assert_eq!(finish(earlier), "4 words\n");

        let client = begin(&mut server, &address);
        kill(signal, &pidfile);
        server.expect("finishing what has begun");
        let error = TcpStream::connect(&address).expect_err("new clients must be refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let second = run(&mut example("graceful", dir.path()));
        assert_eq!(second.status.code(), Some(1));
        let pid = server.pid().to_string();
        assert_eq!(said(&second), refusal(&pidfile, &pid));

        assert_eq!(finish(client), "4 words\n");
        server.expect("done");
        assert!(server.wait().success());
        assert!(!pidfile.exists());
    }
}

#[test]
fn graceful_starts_again_after_kill_9() {
    let dir = tempfile::tempdir().expect("create a directory");
    let pidfile = dir.path().join("pidlock-graceful.pid");
    let (mut killed, _) = serve(dir.path());
    kill("-9", &pidfile);
    assert_eq!(killed.wait().signal(), Some(9));
    assert!(
        pidfile.exists(),
        "a killed process cannot remove its pidfile"
    );
    let (mut next, _) = serve(dir.path());
    assert_eq!(text(&pidfile), format!("{}\n", next.pid()));
    kill("-TERM", &pidfile);
    next.expect("finishing what has begun");
    next.expect("done");
    assert!(next.wait().success());
    assert!(!pidfile.exists());
}

#[test]
fn graceful_on_taken_port_fails_and_leaves_no_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a port");
    let port = taken
        .local_addr()
        .expect("get the address")
        .port()
        .to_string();
    let output = run(example("graceful", dir.path()).arg(port));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("Address already in use"),
        "{}",
        said(&output)
    );
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("list the directory")
            .count(),
        0
    );
}

/// Stands in for a service manager: returns the next message to it.
fn message(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let len = manager.recv(&mut bytes).expect("receive a message");
    String::from_utf8_lossy(&bytes[..len]).trim_end().to_owned()
}

#[test]
fn upgrade_refuses_no_connection_and_reports_the_new_pid() {
    let dir = tempfile::tempdir().expect("create a directory");
    let pidfile = dir.path().join("pidlock-upgrade.pid");
    let socket = dir.path().join("manager");
    let manager = UnixDatagram::bind(&socket).expect("create the manager's socket");
    let command = &mut example("upgrade", dir.path());
    let mut server = Program::start(command.env("NOTIFY_SOCKET", &socket));
    let first = server.pid();
    let line = server.line();
    let address = line.strip_prefix(&format!("{first} serves ")).expect(&line);
    assert_eq!(message(&manager), "READY=1");

    // Clients connect all the time.
    let is_over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let mut answers = 0;
            while !is_over.load(Ordering::SeqCst) {
                let client = TcpStream::connect(address).expect("no connection is refused");
                assert_eq!(finish(client), "11 bytes\n");
                answers += 1;
            }
            answers
        });
        // The first server finishes this request after it has handed over. It accepts in order.
        let mut slow = TcpStream::connect(address).expect("connect to the server");
        slow.write_all(b"slow").expect("send bytes");
        let next = TcpStream::connect(address).expect("connect to the server");
        assert_eq!(finish(next), "11 bytes\n");
        kill("-HUP", &pidfile);
        // The manager reads the file when it learns of the new PID.
        let ready_and_pid = [message(&manager), message(&manager)];
        let second = text(&pidfile).trim_end().to_owned();
        assert_ne!(second, first.to_string());
        assert!(ready_and_pid.contains(&"READY=1".into()));
        assert!(
            ready_and_pid.contains(&format!("MAINPID={second}")),
            "{ready_and_pid:?}"
        );
        server.expect(&format!("{second} serves {address}"));
        let third = run(&mut example("upgrade", dir.path()));
        assert_eq!(said(&third), refusal(&pidfile, &second));

        assert_eq!(finish(slow), "15 bytes\n");
        assert!(server.wait().success());
        is_over.store(true, Ordering::SeqCst);
        clients.join().expect("no client fails")
    });
    println!("{answers} answers");
    kill("-TERM", &pidfile);
    let (_, rest) = server.finish();
    assert_eq!(rest, "");
    assert!(!pidfile.exists());
}
