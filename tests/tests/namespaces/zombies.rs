//! Processes that are shown as zombies: those that have exited, and a process that still has a
//! running thread.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{Program, stale_record, text};

/// Waits until the main thread has exited, so that `/proc` shows the process as a zombie.
fn wait_for_zombie(pid: u32) {
    let is_zombie = || text(format!("/proc/{pid}/status").as_ref()).contains("State:\tZ");
    while !is_zombie() {
        thread::yield_now();
    }
}

#[test]
fn process_whose_main_thread_has_exited_still_holds_the_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let start = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_main_thread_exits"));
        let mut program = Program::start(program.arg(&path));
        program.expect("held");
        wait_for_zombie(program.pid());
        program
    };
    let check_refused = |program: &Program| {
        let error = PidFile::at(&path).acquire().expect_err("the file is held");
        assert!(
            matches!(error, PidFileError::AlreadyLocked { .. }),
            "{error}"
        );
        assert_eq!(error.pid(), Some(program.pid()));
    };
    // The file is more than 50 ms old when the holder writes its record. So the record alone does
    // not show that its process is the holder, and a refused start also looks for the lock in
    // `/proc`.
    fs::write(&path, stale_record()).expect("write a stale record");
    thread::sleep(Duration::from_millis(60));
    let mut program = start();
    check_refused(&program);
    program.finish();
    let mut program = start();
    check_refused(&program);
    let error = PidFile::at(&path).lock(false).acquire();
    assert_eq!(
        error.expect_err("the process is alive").pid(),
        Some(program.pid())
    );

    // The process is recorded in a file that it does not lock.
    let other = dir.path().join("other.pid");
    fs::write(&other, format!("{}\n", program.pid())).expect("write a record");
    for lock in [true, false] {
        let error = PidFile::at(&other).lock(lock).acquire();
        let error = error.expect_err("the process is alive");
        assert!(
            matches!(error, PidFileError::AlreadyRunning { .. }),
            "{error}"
        );
    }
    program.finish();
    assert!(!path.exists());
    PidFile::at(&other)
        .acquire()
        .expect("the process is gone")
        .close()
        .expect("release");

    // The process is killed and has not been waited for.
    let program = start();
    let pid = i32::try_from(program.pid()).expect("a valid PID");
    let pid = rustix::process::Pid::from_raw(pid).expect("a valid PID");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill the process");
    loop {
        match PidFile::at(&path).acquire() {
            Ok(guard) => break guard.close().expect("release"),
            Err(error) => assert!(error.is_contention(), "{error}"),
        }
    }
}
