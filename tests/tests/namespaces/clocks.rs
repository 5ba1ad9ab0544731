//! Clocks that differ, and clocks that are set. The lock does not ask what time it is; only of a
//! process that is alive and does not lock is it asked whether it is older than the file.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use pidlock_core::{PidFile, Status};
use pidlock_tests::rerun_in_namespace::can_unshare;
use pidlock_tests::{Program, has_tool, run, said, skip};

use super::{assert_held, assert_refused, flags, holder, holder_within};

const HOUR: Duration = Duration::from_secs(3600);

/// A live process that does not lock, and a file that names it.
fn stranger(path: &Path) -> Program {
    let stranger = Program::start(&mut Command::new("cat"));
    fs::write(path, format!("{}\n", stranger.pid())).expect("a record");
    stranger
}

fn set_written(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("the file");
    file.set_modified(time).expect("a time");
}

#[test]
fn a_time_namespace_changes_nobodys_age() {
    for offset in ["1000000", "-60"] {
        let flags = flags(&["--time", "--boottime", offset]);
        if !can_unshare(&flags) {
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");

        let mut inside = holder_within(&flags, &path, &[]);
        assert_held(&mut inside);
        let error = PidFile::at(&path).acquire().expect_err("held");
        assert!(error.is_contention(), "{error}");
        inside.finish();

        let stranger = stranger(&path);
        let running = format!("process {} is running", stranger.pid());
        assert_refused(&mut holder_within(&flags, &path, &[]), &running);
        set_written(&path, SystemTime::now() - HOUR);
        let mut inside = holder_within(&flags, &path, &[]);
        assert_held(&mut inside);
        // Killed, it would be gone a moment after `unshare`.
        inside.finish();

        // One that is older than the file for sure, whatever it seems inside.
        fs::write(&path, "1\n").expect("a record");
        set_written(&path, SystemTime::now() - Duration::from_secs(5));
        let running = "process 1 is running";
        assert_refused(&mut holder_within(&flags, &path, &[]), running);
    }
}

/// As a step of the clock between the writing of the file and now makes it look.
#[test]
fn a_file_from_before_or_after_a_step_of_the_clock() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");

    let mut holder = Program::start(&mut holder(&path));
    assert_held(&mut holder);
    for written in [SystemTime::now() - HOUR, SystemTime::now() + HOUR] {
        set_written(&path, written);
        let error = PidFile::at(&path).acquire().expect_err("held");
        assert_eq!(error.pid(), Some(holder.pid()), "{error}");
    }
    holder.finish();

    let stranger = stranger(&path);
    // Set back since: from the future, so nobody is younger.
    set_written(&path, SystemTime::now() + HOUR);
    let error = PidFile::at(&path).acquire().expect_err("it is there");
    assert_eq!(error.pid(), Some(stranger.pid()));
    // The lock mark says that the writer locks, and so that it is gone.
    let is_stale = || matches!(PidFile::at(&path).status(), Ok(Status::Stale { .. }));
    assert!(!is_stale());
    fs::set_permissions(&path, Permissions::from_mode(0o1644)).expect("a mode");
    assert!(is_stale());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
    // Once the clock has been set forward, the process seems younger than what it wrote.
    set_written(&path, SystemTime::now() - HOUR);
    assert!(is_stale());
}

/// A program under a clock that is wrong by so much. Not to be killed: its library leaves something
/// in shared memory then, under a number that another gets.
fn under_clock(offset: &str, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1");
    command.env("FAKETIME", offset);
    // The time since boot is not set with the clock.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

fn holder_at(offset: &str, path: &Path, arguments: &[&str]) -> Program {
    let mut holder = under_clock(offset, env!("CARGO_BIN_EXE_holder"));
    Program::start(holder.arg("--at").arg(path).args(arguments))
}

fn assert_refused_at(offset: &str, path: &Path, arguments: &[&str], words: &str) {
    let mut holder = holder_at(offset, path, arguments);
    assert_refused(&mut holder, words);
    holder.finish();
}

#[test]
fn a_clock_that_is_stepped_an_hour_does_not_let_two_in() {
    if !has_tool("faketime") {
        return skip("there is no faketime");
    }
    let date = said(&run(under_clock("+1h", "date").arg("+%s")));
    let date: u64 = date.trim().parse().expect("seconds");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    assert!(
        date > now.expect("a time").as_secs() + 3000,
        "faketime works"
    );

    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for arguments in [&[][..], &["--no-lock"]] {
        let lock = arguments.is_empty();
        for offset in ["+1h", "-1h"] {
            // Set after the start of the holder.
            let mut first = Program::start(holder(&path).args(arguments));
            assert_held(&mut first);
            assert_refused_at(offset, &path, arguments, &first.pid().to_string());
            first.finish();
            // Set before, and back since.
            let mut first = holder_at(offset, &path, arguments);
            assert_held(&mut first);
            let error = PidFile::at(&path).lock(lock).acquire();
            assert!(error.expect_err("held").is_contention());
            first.finish();
            assert!(!path.exists());
        }
    }
    // Who does not lock is protected from a clock that was set back, and of one that was set
    // forward only where nobody locks.
    let stranger = stranger(&path);
    let pid = format!("process {} is running", stranger.pid());
    assert_refused_at("-1h", &path, &[], &pid);
    assert_refused_at("-1h", &path, &["--no-lock"], &pid);
    assert_refused_at("+1h", &path, &["--no-lock"], &pid);
    let mut fooled = holder_at("+1h", &path, &[]);
    assert_held(&mut fooled);
    fooled.finish();
}
