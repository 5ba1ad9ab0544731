//! Only one instance of each program runs at a time, and it leaves no file behind.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pidlock_tests::{Program, run, said, text};
use rustix::process::{Pid, Signal, kill_process};

/// A program's binary, and the temporary directory for its pidfiles.
struct Place {
    binary: &'static str,
    dir: tempfile::TempDir,
}

/// Creates the place of a program of this package.
macro_rules! place {
    ($name:literal) => {
        Place {
            binary: env!(concat!("CARGO_BIN_EXE_", $name)),
            dir: tempfile::tempdir().expect("create a directory"),
        }
    };
}

impl Place {
    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .env_remove("RUST_BACKTRACE")
            .env("TMPDIR", self.dir.path());
        command
    }

    fn pidfile(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.pid"))
    }

    /// Starts the program, and waits until it has printed these lines in any order.
    fn start(&self, lines: &[&str]) -> Program {
        let mut program = Program::start(&mut self.command());
        let mut said: Vec<_> = lines.iter().map(|_| program.line()).collect();
        said.sort();
        assert_eq!(said, lines);
        program
    }

    fn refusal(&self, name: &str, holder: &Program) -> String {
        let (path, pid) = (self.pidfile(name), holder.pid());
        format!("pidfile '{}' already locked by PID {pid}", path.display())
    }

    fn held(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("list the directory");
        let names = entries.map(|entry| entry.expect("read a directory entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn assert_held(&self, names: &[&str], holder: &Program) {
        let files: Vec<_> = names.iter().map(|name| format!("{name}.pid")).collect();
        assert_eq!(self.held(), files);
        for name in names {
            assert_eq!(text(&self.pidfile(name)), format!("{}\n", holder.pid()));
        }
    }

    fn assert_left_nothing(&self) {
        assert_eq!(self.held(), [""; 0]);
    }
}

fn assert_ended(output: &Output, status: i32, stderr: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.stdout, b"");
    assert_eq!(output.status.code(), Some(status));
}

/// Lets the program continue, and asserts that it prints `rest` and exits with status 0.
fn assert_finishes(mut program: Program, rest: &str) {
    let (status, said) = program.finish();
    assert_eq!((said.as_str(), status.code()), (rest, Some(0)));
}

fn send(signal: Signal, program: &Program) {
    let pid = i32::try_from(program.pid()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a valid PID"), signal).expect("send the signal");
}

#[test]
fn tokio_tasks_are_dropped_before_the_lock_is_released() {
    let place = place!("tokio_service");
    let first = place.start(&["main returns"]);
    place.assert_held(&["tokio_service"], &first);
    let message = format!("Error: {}\n", place.refusal("tokio_service", &first));
    assert_ended(&run(&mut place.command()), 1, &message);
    assert_finishes(first, "connection closed, pidfile there: true\n");
    place.assert_left_nothing();
}

/// Asserts that the program printed a refusal for each name, in any order.
fn assert_refusals(place: &Place, output: &Output, names: &[&str], holder: &Program) {
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    let refusals = names.iter().map(|name| place.refusal(name, holder));
    assert_eq!(lines, refusals.collect::<Vec<_>>());
}

/// Asserts that a refused call panicked, with the location of the attribute.
fn assert_panicked(place: &Place, output: &Output, name: &str, file: &str, holder: &Program) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("panicked at").count(), 1, "{said}");
    let source = format!("panicked at tests/frameworks/src/bin/{file}.rs:");
    assert!(said.contains(&source), "{said}");
    let message = format!("\n{}\n", place.refusal(name, holder));
    assert!(said.contains(&message), "{said}");
}

#[test]
fn tokio_workers_of_second_process_are_refused() {
    let place = place!("tokio_workers");
    let first = place.start(&["draining mail", "draining print", "expiring"]);
    place.assert_held(&["expiry", "queue-mail", "queue-print"], &first);
    let second = run(&mut place.command());
    assert_eq!(second.status.code(), Some(3), "{}", said(&second));
    assert_refusals(&place, &second, &["queue-mail", "queue-print"], &first);
    assert_panicked(&place, &second, "expiry", "tokio_workers", &first);
    assert_finishes(first, "");
    place.assert_left_nothing();
}

#[test]
fn thread_workers_of_second_process_are_refused() {
    let place = place!("thread_workers");
    let first = place.start(&["shard 0", "shard 1", "shard 2", "sweeping", "watching"]);
    let names = ["shard-0", "shard-1", "shard-2", "sweeper", "watcher"];
    place.assert_held(&names, &first);
    let mut second = run(&mut place.command());
    assert_eq!(second.status.code(), Some(5), "{}", said(&second));
    assert_panicked(&place, &second, "watcher", "thread_workers", &first);
    let rest = String::from_utf8_lossy(&second.stdout).replace("total 0\n", "");
    second.stdout = rest.into_bytes();
    assert_refusals(&place, &second, &names[..4], &first);
    assert_finishes(first, "total 21\n");
    place.assert_left_nothing();
}

#[test]
fn rayon_pool_skips_frames_that_another_process_renders() {
    let place = place!("rayon_pool");
    let first = place.start(&["frame 0", "frame 1", "frame 2", "frame 3"]);
    place.assert_held(&["frame-0", "frame-1", "frame-2", "frame-3"], &first);
    let second = run(&mut place.command());
    assert_eq!(said(&second), "rendered 0\n");
    assert!(second.status.success());
    assert_finishes(first, "rendered 4\n");
    place.assert_left_nothing();
}

#[test]
fn async_trait_jobs_of_second_process_are_refused() {
    let place = place!("async_trait_jobs");
    let first = place.start(&["backing up disk", "backing up mail"]);
    place.assert_held(&["backup-disk", "backup-mail"], &first);
    let second = run(&mut place.command());
    assert_eq!(second.status.code(), Some(2), "{}", said(&second));
    assert_refusals(&place, &second, &["backup-disk", "backup-mail"], &first);
    assert_finishes(first, "");
    place.assert_left_nothing();
}

#[test]
fn clap_main_returns_its_exit_code_or_fails_when_refused() {
    let place = place!("clap_backup");
    let path = place.pidfile("backup");
    let with = |arguments: &[&str]| {
        let mut command = place.command();
        command.arg("--pidfile").arg(&path).args(arguments);
        command
    };
    let mut first = Program::start(&mut with(&["--unchanged", "7"]));
    first.expect("comparing");
    place.assert_held(&["backup"], &first);
    let message = format!("{}\n", place.refusal("backup", &first));
    assert_ended(&run(&mut with(&[])), 1, &message);

    let help = run(&mut with(&["--help"]));
    assert!(help.status.success());
    assert!(said(&help).starts_with("Copies what has changed\n"));
    let mistake = run(&mut with(&["--unchanged", "x"]));
    assert_eq!(mistake.status.code(), Some(2), "clap's own exit status");

    let (status, rest) = first.finish();
    assert_eq!((status.code(), rest.as_str()), (Some(7), ""));
    place.assert_left_nothing();
}

#[test]
fn anyhow_adds_context_to_a_refusal() {
    let place = place!("anyhow_import");
    let first = place.start(&["importing"]);
    place.assert_held(&["anyhow_import"], &first);
    let why = place.refusal("anyhow_import", &first);
    let message = format!("Error: cannot import\n\nCaused by:\n    {why}\n");
    assert_ended(&run(&mut place.command()), 1, &message);
    assert_finishes(first, "");
    place.assert_left_nothing();
}

#[test]
fn eyre_reports_a_refusal_at_the_attribute() {
    let place = place!("eyre_export");
    let first = place.start(&["exporting"]);
    place.assert_held(&["eyre_export"], &first);
    let why = place.refusal("eyre_export", &first);
    let source = include_str!("../src/bin/eyre_export.rs");
    let above = source.lines().take_while(|line| !line.starts_with("#["));
    let line = above.count() + 1;
    let file = Path::new("tests/frameworks/src/bin/eyre_export.rs").display();
    let message = format!("Error: {why}\n\nLocation:\n    {file}:{line}:1\n");
    assert_ended(&run(&mut place.command()), 1, &message);
    assert_finishes(first, "");
    place.assert_left_nothing();
}

#[test]
fn signal_hook_daemon_holds_the_lock_until_it_exits() {
    let place = place!("signal_hook_daemon");
    let mut first = place.start(&["serving"]);
    let why = place.refusal("signal_hook_daemon", &first);
    let message = format!("Error: Running({why})\n");
    assert_ended(&run(&mut place.command()), 1, &message);
    send(Signal::HUP, &first);
    first.expect("configuration read again");
    place.assert_held(&["signal_hook_daemon"], &first);
    send(Signal::TERM, &first);
    first.expect("ending");
    place.assert_held(&["signal_hook_daemon"], &first);
    assert_ended(&run(&mut place.command()), 1, &message);
    assert_finishes(first, "");
    place.assert_left_nothing();
}

#[test]
fn axum_server_holds_the_lock_until_requests_are_answered() {
    let place = place!("axum_server");
    let mut first = Program::start(&mut place.command());
    let address = first.line();
    place.assert_held(&["axum_server"], &first);

    let mut client = TcpStream::connect(&address).expect("connect to the server");
    client
        .write_all(b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\nfour")
        .expect("send half of the request");
    first.expect("counting");
    send(Signal::TERM, &first);
    first.expect("ending");
    place.assert_held(&["axum_server"], &first);
    let message = format!("Error: {}\n", place.refusal("axum_server", &first));
    assert_ended(&run(&mut place.command()), 1, &message);

    client
        .write_all(b"more")
        .expect("send the rest of the request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("read the answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n8 bytes\n"), "{answer}");
    assert_finishes(first, "");
    place.assert_left_nothing();
}
