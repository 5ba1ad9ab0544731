//! Tools that start and stop daemons by their pidfile, or show which process holds the lock.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, has_tool, run, said, skip, stale_record, text};

use crate::holder;

const HOLDER: &str = env!("CARGO_BIN_EXE_holder");
const TERM: i32 = 15;

fn start_stop_daemon(what: &str, path: &Path) -> Command {
    let mut command = Command::new("start-stop-daemon");
    command.arg(what).arg("--pidfile").arg(path);
    command
}

#[test]
fn start_stop_daemon_finds_and_stops_the_holder() {
    if !has_tool("start-stop-daemon") {
        return skip("there is no start-stop-daemon");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let status = || {
        let mut command = start_stop_daemon("--status", &path);
        let output = run(command.args(["--exec", HOLDER]));
        output.status.code()
    };
    // The exit codes in start-stop-daemon(8): running; dead, but the pidfile exists; not running.
    const RUNS: Option<i32> = Some(0);
    const DEAD: Option<i32> = Some(1);
    const DOES_NOT_RUN: Option<i32> = Some(3);

    assert_eq!(status(), DOES_NOT_RUN);
    std::fs::write(&path, stale_record()).expect("write a stale file");
    assert_eq!(status(), DEAD);

    // start-stop-daemon calls exec, so `ours.pid()` is the PID of the holder.
    let mut start = start_stop_daemon("--start", &path);
    start.args(["--exec", HOLDER, "--", "--at"]).arg(&path);
    let mut ours = Program::start(&mut start);
    ours.expect(&format!("held {}", path.display()));
    assert_eq!(status(), RUNS);
    let again = run(&mut start);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert_eq!(text(&path), format!("{}\n", ours.pid()));

    let mut stop = start_stop_daemon("--stop", &path);
    stop.args(["--exec", HOLDER, "--retry", "TERM/30", "--quiet"]);
    let mut stopping = stop.spawn().expect("start start-stop-daemon");
    assert_eq!(ours.wait().signal(), Some(TERM));
    assert!(
        stopping
            .wait()
            .expect("wait for start-stop-daemon")
            .success()
    );
    assert!(!path.exists(), "the holder removes its file");
    assert_eq!(status(), DOES_NOT_RUN);
}

#[test]
fn start_beside_a_program_of_start_stop_daemon_is_refused() {
    if !has_tool("start-stop-daemon") {
        return skip("there is no start-stop-daemon");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut start = start_stop_daemon("--start", &path);
    start.args(["--make-pidfile", "--startas", "/bin/cat"]);
    let mut theirs = Program::start(&mut start);
    while text(&path).is_empty() {
        std::thread::yield_now(); // until start-stop-daemon has written the PID
    }
    let error = PidFile::at(&path)
        .acquire()
        .expect_err("the program is running");
    let running = matches!(error, PidFileError::AlreadyRunning { .. });
    assert!(running && error.pid() == Some(theirs.pid()), "{error}");
    theirs.finish();
    PidFile::at(&path)
        .acquire()
        .expect("the file is stale")
        .close()
        .expect("release");
}

#[test]
fn pkill_signals_only_the_holder_of_the_lock() {
    if !has_tool("pkill") {
        return skip("there is no pkill");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let pkill = || run(Command::new("pkill").arg("-F").arg(&path).arg("-L"));

    // The record is stale: its PID now belongs to a program that does not hold the lock.
    let mut innocent = Program::start(&mut Command::new("cat"));
    std::fs::write(&path, format!("{}\n", innocent.pid())).expect("write a record");
    assert!(!pkill().status.success(), "no process holds the lock");
    assert_eq!(
        innocent.finish().0.code(),
        Some(0),
        "the other program was not killed"
    );

    let mut ours = holder(&path);
    assert!(pkill().status.success());
    assert_eq!(ours.wait().signal(), Some(TERM));
    assert!(!path.exists(), "the holder removes its file");
}

#[test]
fn lslocks_shows_the_holder_until_it_exits() {
    if !has_tool("lslocks") {
        return skip("there is no lslocks");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let lslocks = || {
        let mut command = Command::new("lslocks");
        command.args(["--noheadings", "--raw", "--output", "PID,TYPE,MODE,PATH"]);
        said(&run(command.stderr(Stdio::null())))
    };
    let mut ours = holder(&path);
    let line = format!("{} FLOCK WRITE {}", ours.pid(), path.display());
    let shown = lslocks();
    assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    ours.finish();
    let shown = lslocks();
    assert!(!shown.contains(&*path.to_string_lossy()), "{shown}");
}
