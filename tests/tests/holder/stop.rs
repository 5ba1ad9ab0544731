//! Stopping: SIGTERM, then wait until the file is free.

use std::io;
use std::process::Command;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFileError, Status};
use pidlock_tests::{Program, text};

use super::{LONG, Place, assert_terminated, observe};

/// Long enough for a holder to get the signal.
const SHORT: Duration = Duration::from_millis(200);

fn check_timed_out(error: PidFileError, words: &str) {
    let message = error.to_string();
    assert!(
        message.starts_with("cannot stop the holder of pidfile '"),
        "{message}"
    );
    assert!(message.contains(words), "{message}");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);
}

#[test]
fn stopped_holder_leaves_a_free_file() {
    for arguments in [&[][..], &["--keep"], &["--no-lock"]] {
        let place = Place::new();
        let file = place.file().lock(!arguments.contains(&"--no-lock"));
        let mut holder = place.hold(arguments);
        assert!(file.stop(LONG).expect("stop the holder"), "{arguments:?}");
        let guard = file.acquire().expect("the file is free");
        guard.close().expect("release");
        assert_terminated(&mut holder);
        assert!(!file.stop(LONG).expect("look"), "there is no holder");
    }
}

#[test]
fn stop_waits_for_the_lock_and_not_for_the_process() {
    let place = Place::new();
    let mut holder = place.hold(&["--then", "serve"]);
    thread::scope(|scope| {
        let stop = scope.spawn(|| place.file().stop(LONG));
        holder.expect("asked");
        assert!(!stop.is_finished(), "the file is still locked");
        holder.tell("release");
        holder.expect("released");
        assert!(stop.join().expect("no panic").expect("stop the holder"));
    });
    let (status, rest) = holder.finish();
    assert!(status.success() && rest.is_empty(), "one signal: {rest:?}");
}

#[test]
fn holder_that_ignores_sigterm_makes_stop_time_out_and_keeps_its_file() {
    for no_lock in [false, true] {
        let place = Place::new();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; exec \"$@\"", "-"]);
        command.arg(env!("CARGO_BIN_EXE_holder"));
        command.arg("--at").arg(&place.path);
        command.args(no_lock.then_some("--no-lock"));
        let mut holder = Program::start(&mut command);
        holder.expect(&format!("held {}", place.path.display()));
        let file = place.file().lock(!no_lock);
        let before = observe(&place.path);
        let words = format!("process {} still has it 200ms after SIGTERM", holder.pid());
        check_timed_out(file.stop(SHORT).expect_err("no answer"), &words);
        let error = file.replace(SHORT).expect_err("no answer");
        check_timed_out(error, &words);
        check_timed_out(file.stop(Duration::ZERO).expect_err("no answer"), "0ns");
        assert_eq!(observe(&place.path), before);
        let (status, rest) = holder.finish();
        assert!(status.success() && rest == "closed\n", "{rest:?}");
    }
}

#[test]
fn stop_of_a_daemon_waits_for_the_child_that_shares_the_lock() {
    let place = Place::new();
    let mut daemon = place.hold(&["--then", "inherit"]);
    let line = daemon.line();
    assert!(line.starts_with("forked "), "{line}");
    let pid = daemon.pid();
    let words = format!("process {pid} is gone, but after 200ms one that it forked still has");
    check_timed_out(
        place.file().stop(SHORT).expect_err("the child lives"),
        &words,
    );
    assert_terminated(&mut daemon);
    // The holder has left the file to the child.
    assert_eq!(text(&place.path), "");
    let status = place.file().status().expect("look");
    assert_eq!(status, Status::Locked { pid: None });
    place.check_unconfirmed(None);
}

#[test]
fn stop_of_a_daemon_ends_when_the_child_that_shares_the_lock_ends() {
    let place = Place::new();
    let mut daemon = place.hold(&["--then", "inherit"]);
    daemon.line();
    thread::scope(|scope| {
        let stop = scope.spawn(|| place.file().stop(LONG));
        assert_terminated(&mut daemon);
        assert!(!stop.is_finished(), "the child still shares the lock");
        daemon.go_on();
        assert!(stop.join().expect("no panic").expect("stop the holder"));
    });
    place
        .file()
        .acquire()
        .expect("the file is free")
        .close()
        .expect("release");
}
