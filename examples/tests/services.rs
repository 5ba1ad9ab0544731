//! The examples that run for long, started, used and ended as a person would.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{Program, run, said, text};
use rustix::fs::{FlockOperation, flock};

/// An example's program, with a temporary directory of its own.
fn example(name: &str, dir: &Path) -> Command {
    // Cargo tells tests where binaries are, but not examples: beside this test's own directory.
    let here = std::env::current_exe().expect("this program");
    let directory = here.ancestors().nth(2).expect("a directory");
    let mut command = Command::new(directory.join("examples").join(name));
    command.env("TMPDIR", dir);
    command
}

/// `kill OPTIONS $(cat PIDFILE)`.
fn kill(options: &str, pidfile: &Path) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "kill $1 $(cat \"$2\")", "-", options])
        .arg(pidfile);
    let output = run(&mut shell);
    assert!(output.status.success(), "{}", said(&output));
}

/// What a second start is told.
fn refusal(pidfile: &Path, pid: &str) -> String {
    let path = pidfile.display();
    format!("Error: pidfile '{path}' already locked by PID {pid}\n")
}

/// A daemon, which is nobody's child, and is killed if a test fails.
struct Daemon {
    pidfile: PathBuf,
}

impl Daemon {
    /// Starts it, and waits until it is in the background.
    fn start(dir: &Path) -> Self {
        // The end of its output comes only when the daemon has let go of the terminal, too.
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
        let held = File::open(&self.pidfile).expect("the pidfile");
        kill(options, &self.pidfile);
        // Granted when it has ended, and not before.
        flock(&held, FlockOperation::LockShared).expect("the lock");
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
fn daemon_runs_once_in_the_background_until_it_is_told_to_end() {
    let dir = tempfile::tempdir().expect("a directory");
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
    let dir = tempfile::tempdir().expect("a directory");
    let killed = Daemon::start(dir.path());
    let pid = killed.pid();
    killed.end("-9");
    assert_eq!(killed.pid(), pid, "nobody could clean up");
    let next = Daemon::start(dir.path());
    assert_ne!(next.pid(), pid);
    next.end("-TERM");
    assert!(!next.pidfile.exists());
}

#[test]
fn daemon_has_left_its_terminal_and_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(dir.path());
    let proc = Path::new("/proc").join(daemon.pid());
    let points_to = |name: &str| fs::read_link(proc.join(name)).expect("a link of the daemon's");
    assert_eq!(points_to("cwd"), Path::new("/"));
    for output in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(points_to(output), Path::new("/dev/null"));
    }
    // Behind the program's name: state, parent, process group, session, terminal (proc(5)).
    let stat = text(&proc.join("stat"));
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let fields: Vec<_> = fields.split(' ').collect();
    assert_ne!(fields[3], daemon.pid(), "not the first of its session");
    assert_eq!(fields[4], "0", "no terminal");
    daemon.end("-TERM");
}

/// A server that has said where it serves.
fn serve(dir: &Path) -> (Program, String) {
    let mut server = Program::start(&mut example("graceful", dir));
    let line = server.line();
    let address = line.strip_prefix("serving on ").expect(&line).to_owned();
    (server, address)
}

/// A client whose request the server has begun to work on.
fn begin(server: &mut Program, address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("a server");
    client.write_all(b"one two ").expect("it reads");
    let me = client.local_addr().expect("an address");
    server.expect(&format!("request from {me}"));
    client
}

/// The rest of the request, and the answer to it.
fn finish(mut client: TcpStream) -> String {
    client.write_all(b"three\nfour\n").expect("it still reads");
    client.shutdown(Shutdown::Write).expect("the end");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn graceful_finishes_its_request_and_holds_its_pidfile_until_then() {
    let dir = tempfile::tempdir().expect("a directory");
    let pidfile = dir.path().join("pidlock-graceful.pid");
    for signal in ["-TERM", "-INT"] {
        let (mut server, address) = serve(dir.path());
        assert_eq!(text(&pidfile), format!("{}\n", server.pid()));
        let earlier = begin(&mut server, &address);
        assert_eq!(finish(earlier), "4 words\n");

        let client = begin(&mut server, &address);
        kill(signal, &pidfile);
        server.expect("finishing what has begun");
        let error = TcpStream::connect(&address).expect_err("no new requests");
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
    let dir = tempfile::tempdir().expect("a directory");
    let pidfile = dir.path().join("pidlock-graceful.pid");
    let (mut killed, _) = serve(dir.path());
    kill("-9", &pidfile);
    assert_eq!(killed.wait().signal(), Some(9));
    assert!(pidfile.exists(), "nobody could clean up");
    let (mut next, _) = serve(dir.path());
    assert_eq!(text(&pidfile), format!("{}\n", next.pid()));
    kill("-TERM", &pidfile);
    next.expect("finishing what has begun");
    next.expect("done");
    assert!(next.wait().success());
    assert!(!pidfile.exists());
}

#[test]
fn graceful_on_a_port_that_is_taken_says_so_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = run(example("graceful", dir.path()).arg(port));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("Address already in use"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}
