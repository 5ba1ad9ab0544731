//! Clocks that differ between processes, and clocks that are set. The lock does not depend on the
//! time. Times matter only if the recorded process is alive and does not hold the lock: a process
//! that is younger than the file cannot have written it.

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

/// Starts a process that does not lock the file, and writes its PID to the file.
fn stranger(path: &Path) -> Program {
    let stranger = Program::start(&mut Command::new("cat"));
    fs::write(path, format!("{}\n", stranger.pid())).expect("write a record");
    stranger
}

fn set_written(path: &Path, time: SystemTime) {
    let file = File::options()
        .write(true)
        .open(path)
        .expect("open the file");
    file.set_modified(time).expect("set the time");
}

#[test]
fn time_namespace_does_not_change_the_age_of_a_process() {
    for offset in ["1000000", "-60"] {
        let flags = flags(&["--time", "--boottime", offset]);
        if !can_unshare(&flags) {
            return;
        }
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");

        let mut inside = holder_within(&flags, &path, &[]);
        assert_held(&mut inside);
        let error = PidFile::at(&path).acquire().expect_err("the file is held");
        assert!(error.is_contention(), "{error}");
        inside.finish();

        let stranger = stranger(&path);
        let running = format!("process {} is running", stranger.pid());
        assert_refused(&mut holder_within(&flags, &path, &[]), &running);
        set_written(&path, SystemTime::now() - HOUR);
        let mut inside = holder_within(&flags, &path, &[]);
        assert_held(&mut inside);
        // Let the holder return. If `unshare` were killed, the holder would exit a moment later,
        // and hold the file until then.
        inside.finish();

        // PID 1 is older than the file, whatever its start time seems to be in the namespace.
        fs::write(&path, "1\n").expect("write a record");
        set_written(&path, SystemTime::now() - Duration::from_secs(5));
        let running = "process 1 is running";
        assert_refused(&mut holder_within(&flags, &path, &[]), running);
    }
}

/// Instead of the clock, the test sets the modification time of the file, with the same effect.
#[test]
fn clock_set_after_the_file_was_written_does_not_free_a_held_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");

    let mut holder = Program::start(&mut holder(&path));
    assert_held(&mut holder);
    for written in [SystemTime::now() - HOUR, SystemTime::now() + HOUR] {
        set_written(&path, written);
        let error = PidFile::at(&path).acquire().expect_err("the file is held");
        assert_eq!(error.pid(), Some(holder.pid()), "{error}");
    }
    holder.finish();

    let stranger = stranger(&path);
    // The clock was set back: the file is from the future, so no process is younger than the file.
    set_written(&path, SystemTime::now() + HOUR);
    let error = PidFile::at(&path)
        .acquire()
        .expect_err("the process is running");
    assert_eq!(error.pid(), Some(stranger.pid()));
    // With the lock mark, the writer locks the file. The lock is free, so the writer is gone.
    let is_stale = || matches!(PidFile::at(&path).status(), Ok(Status::Stale { .. }));
    assert!(!is_stale());
    fs::set_permissions(&path, Permissions::from_mode(0o1644)).expect("set the mode");
    assert!(is_stale());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set the mode");
    // The clock was set forward: the process seems younger than the file that it wrote, so the file
    // counts as stale.
    set_written(&path, SystemTime::now() - HOUR);
    assert!(is_stale());
}

/// A program whose clock is wrong by `offset`. Do not kill it: libfaketime would leave shared
/// memory behind, named after the PID, which another process may get.
fn under_clock(offset: &str, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1");
    command.env("FAKETIME", offset);
    // Setting the clock does not change the time since boot.
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
fn clock_set_by_an_hour_never_allows_two_holders() {
    if !has_tool("faketime") {
        return skip("there is no faketime");
    }
    let date = said(&run(under_clock("+1h", "date").arg("+%s")));
    let date: u64 = date.trim().parse().expect("a number of seconds");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    assert!(
        date > now.expect("after 1970").as_secs() + 3000,
        "faketime sets the clock"
    );

    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    for arguments in [&[][..], &["--no-lock"]] {
        let lock = arguments.is_empty();
        for offset in ["+1h", "-1h"] {
            // The clock is set after the holder has started.
            let mut first = Program::start(holder(&path).args(arguments));
            assert_held(&mut first);
            assert_refused_at(offset, &path, arguments, &first.pid().to_string());
            first.finish();
            // The clock is wrong when the holder starts, and correct afterwards.
            let mut first = holder_at(offset, &path, arguments);
            assert_held(&mut first);
            let error = PidFile::at(&path).lock(lock).acquire();
            assert!(error.expect_err("the file is held").is_contention());
            first.finish();
            assert!(!path.exists());
        }
    }
    // The recorded process does not lock the file. A start whose clock is set back is refused all
    // the same. If the clock is set forward, the process seems younger than the file, so a start
    // that locks takes the file over, and only a start that does not lock either is refused.
    let stranger = stranger(&path);
    let pid = format!("process {} is running", stranger.pid());
    assert_refused_at("-1h", &path, &[], &pid);
    assert_refused_at("-1h", &path, &["--no-lock"], &pid);
    assert_refused_at("+1h", &path, &["--no-lock"], &pid);
    let mut fooled = holder_at("+1h", &path, &[]);
    assert_held(&mut fooled);
    fooled.finish();
}
