//! Hand-overs that fail: the predecessor keeps the file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError, PidGuard};
use pidlock_tests::{run, said, stale_record};

use super::{Place, line, refused};

/// Hands over to `upgrader` with this step, which does not acquire the file.
fn assert_kept(step: &str, timeout: Duration, why: &str) {
    let place = Place::new();
    let guard = PidFile::at(&place.path).acquire().expect("acquire");
    let mut command = place.command(step);
    let input = Stdio::piped();
    let mut failed = guard
        .hand_over(command.stdin(input).stdout(Stdio::null()), timeout)
        .expect_err("the successor does not acquire the file");
    assert!(failed.to_string().ends_with(why), "{step}: {failed}");
    let path = place.path.display();
    let begin = format!("cannot hand over pidfile '{path}' to '");
    assert!(failed.to_string().starts_with(&begin), "{failed}");
    failed.guard.verify().expect("this process is the holder");
    assert_eq!(refused(&place.path), Some(std::process::id()));
    let mut child = failed.child.take().expect("it was started");
    child.kill().expect("kill the successor");
    child.wait().expect("wait for the successor");
    failed.guard.close().expect("release");
    assert!(!place.path.exists(), "{step}");
}

const ENDED: &str = "it ended, or closed its descriptors, before it acquired the file";

#[test]
fn successor_that_exits_or_cannot_adopt_leaves_the_file_to_its_predecessor() {
    for step in ["exit", "reserve"] {
        assert_kept(step, Duration::MAX, ENDED);
    }
}

#[test]
fn successor_that_does_not_acquire_the_file_times_out() {
    for step in ["never", "other"] {
        let late = "it did not acquire the file in time";
        assert_kept(step, Duration::from_millis(300), late);
    }
}

#[test]
fn program_that_does_not_exist_leaves_the_file_as_it_was() {
    let place = Place::new();
    let mut program = place.start("nothing");
    let pid = program.pid();
    assert_eq!(line(&mut program), (pid, "held".into()));
    for _ in 0..2 {
        let (_, kept) = line(&mut program);
        assert!(
            kept.contains("to '/no/such/program': No such file"),
            "{kept}"
        );
    }
    place.assert_holder(pid);
    // Not the number of descriptors: this process may pass on some of its own.
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let targets = descriptors
        .flatten()
        .filter_map(|it| fs::read_link(it.path()).ok());
    let targets: Vec<_> = targets.collect();
    assert_eq!(targets.iter().filter(|it| **it == place.path).count(), 1);
    let is_socket = |target: &PathBuf| target.display().to_string().starts_with("socket:");
    assert!(!targets.iter().any(is_socket), "{targets:?}");
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{pid} closed\n"));
}

fn configuration(guard: PidGuard) -> (PidGuard, String) {
    let failed = guard
        .hand_over(&mut Command::new("true"), Duration::MAX)
        .expect_err("a hand-over is refused");
    assert!(matches!(failed.error, PidFileError::Configuration { .. }));
    assert!(failed.child.is_none());
    (failed.guard, failed.error.to_string())
}

#[test]
fn file_without_a_lock_is_not_handed_over() {
    let place = Place::new();
    let guard = PidFile::at(&place.path).lock(false).acquire();
    let (guard, why) = configuration(guard.expect("acquire"));
    assert!(why.contains("lock = true"), "{why}");
    guard.close().expect("release");
}

#[test]
fn one_of_several_guards_is_not_handed_over() {
    let place = Place::new();
    let file = PidFile::at(&place.path).reentrant(true);
    let first = file.acquire().expect("acquire");
    let second = file.acquire().expect("acquire again");
    let (first, why) = configuration(first);
    assert!(why.contains("only guard"), "{why}");
    drop(second);
    first.verify().expect("this process is the holder");
    let third = file.acquire().expect("no hand-over is in progress");
    drop((first, third));
}

#[test]
fn file_that_was_replaced_is_not_handed_over() {
    let place = Place::new();
    let guard = PidFile::at(&place.path).acquire().expect("acquire");
    fs::remove_file(&place.path).expect("remove the file");
    let failed = guard.hand_over(&mut Command::new("true"), Duration::MAX);
    let failed = failed.expect_err("the file is gone");
    assert!(matches!(failed.error, PidFileError::Replaced { .. }));
    assert!(failed.child.is_none());
}

/// A stranger has the variable, but not the byte.
#[test]
fn variable_of_another_program_is_ignored() {
    // In place of ID, the identity of the pidfile.
    for variable in [
        "",
        ",,",
        "100:1:2",
        "100:1:2,101:1:2,102:1:2",
        "-1:0:0,-1:0:0,-1:0:0",
        "0:ID,0:ID,0:ID",
        "150:ID,150:ID,150:ID",
        "150:ID,151:ID,152:ID",
    ] {
        let place = Place::new();
        fs::write(&place.path, stale_record()).expect("write a stale record");
        let file = fs::File::open(&place.path).expect("open the file");
        let id = file.metadata().expect("inspect the file");
        let variable = variable.replace("ID", &format!("{}:{}", id.dev(), id.ino()));
        // The shell gives the program these descriptors of the pidfile.
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                "exec 150<>\"$2\" 151<>\"$2\" 152<>\"$2\"; exec \"$1\" \"$2\"",
                "-",
            ])
            .arg(env!("CARGO_BIN_EXE_upgrader"))
            .arg(&place.path)
            .env("PIDLOCK_HAND_OVER", &variable)
            .stdin(file);
        let output = run(&mut command);
        let said = said(&output);
        assert!(said.ends_with(" closed\n"), "{variable}: {said}");
    }
}
