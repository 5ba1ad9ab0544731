//! What is shown as a zombie: processes that have ended, and one that has not.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, stale_record, text};

/// Waits until the main thread has ended.
fn wait_for_zombie(pid: u32) {
    let is_zombie = || text(format!("/proc/{pid}/status").as_ref()).contains("State:\tZ");
    while !is_zombie() {
        thread::yield_now();
    }
}

#[test]
fn a_process_whose_main_thread_has_ended_still_holds() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let start = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_main_thread_exits"));
        let mut program = Program::start(program.arg(&path));
        program.expect("held");
        wait_for_zombie(program.pid());
        program
    };
    let check_refused = |program: &Program| {
        let error = PidFile::at(&path).acquire().expect_err("held");
        assert!(
            matches!(error, PidFileError::AlreadyLocked { .. }),
            "{error}"
        );
        assert_eq!(error.pid(), Some(program.pid()));
    };
    // Over a file that is older than the record, which is believed less readily.
    fs::write(&path, stale_record()).expect("write a stale record");
    thread::sleep(Duration::from_millis(60));
    let mut program = start();
    check_refused(&program);
    program.finish();
    let mut program = start();
    check_refused(&program);
    let error = PidFile::at(&path).lock(false).acquire();
    assert_eq!(error.expect_err("alive").pid(), Some(program.pid()));

    // The same where it does not lock.
    let other = dir.path().join("other.pid");
    fs::write(&other, format!("{}\n", program.pid())).expect("a record");
    for lock in [true, false] {
        let error = PidFile::at(&other).lock(lock).acquire();
        let error = error.expect_err("alive");
        assert!(
            matches!(error, PidFileError::AlreadyRunning { .. }),
            "{error}"
        );
    }
    program.finish();
    assert!(!path.exists());
    PidFile::at(&other)
        .acquire()
        .expect("it is gone")
        .close()
        .expect("an end");

    // Killed, and not yet waited for.
    let program = start();
    let pid = i32::try_from(program.pid()).expect("a number");
    let pid = rustix::process::Pid::from_raw(pid).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
    loop {
        match PidFile::at(&path).acquire() {
            Ok(guard) => break guard.close().expect("an end"),
            Err(error) => assert!(error.is_contention(), "{error}"),
        }
    }
}
