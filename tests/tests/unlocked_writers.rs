//! Programs that write a PID to the pidfile without locking it. Starts are refused while the
//! recorded process runs. If a holder's record is overwritten, the error does not name the wrong
//! process.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, Status};
use pidlock_tests::{ORDINARY_UID, Program, assert_running, is_root, rerun_in_namespace, text};

#[test]
fn start_is_refused_until_the_process_that_a_shell_recorded_is_gone() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut command = Command::new("sh");
    let script = "sleep 60 > /dev/null 2>&1 & echo $! > \"$1\"; echo $!; read line; kill $!; wait; echo gone; read line";
    let mut shell = Program::start(command.args(["-c", script, "-"]).arg(&path));
    let pid = shell.line().parse().expect("a PID");
    assert_running(&path, pid);
    assert_running(&path, pid);
    shell.go_on();
    shell.expect("gone");
    let guard = PidFile::at(&path).acquire().expect("the process is gone");
    guard.close().expect("release");
}

#[test]
fn start_over_the_file_of_a_killed_container_is_refused_because_pid_1_runs() {
    let user: &[&str] = match is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    let flags = [user, &["--pid", "--fork", "--mount-proc", "--kill-child"]].concat();
    if !rerun_in_namespace::can_unshare(&flags) {
        return;
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut command = Command::new("unshare");
    command.args(flags).arg(env!("CARGO_BIN_EXE_holder"));
    let mut container = Program::start(command.arg("--at").arg(&path));
    container.expect(&format!("held {}", path.display()));
    container.kill();
    // The holder exits a moment after `unshare`.
    while matches!(PidFile::at(&path).status(), Ok(Status::Locked { .. })) {
        thread::yield_now();
    }
    assert_eq!(text(&path), "1\n");
    assert_running(&path, 1);
    fs::remove_file(&path).expect("remove the file, as the message advises");
    let guard = PidFile::at(&path).acquire().expect("acquire");
    guard.close().expect("release");
}

/// The records contain the PID of an unrelated process, an unused PID, or no PID.
#[test]
fn refusal_of_a_held_file_with_an_overwritten_record_names_the_holder_or_no_process() {
    let stranger = Program::start(&mut Command::new("cat"));
    let users = match is_root() {
        true => &[None, Some(ORDINARY_UID)][..],
        false => &[None],
    };
    for &user in users {
        let dir = tempfile::tempdir().expect("create a directory");
        let mode = fs::Permissions::from_mode(0o777);
        fs::set_permissions(dir.path(), mode).expect("set the mode");
        let path = dir.path().join("app.pid");
        let holder = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
            if let Some(uid) = user {
                command.uid(uid).gid(uid);
            }
            Program::start(command.arg("--at").arg(&path))
        };
        let mut first = holder();
        first.expect(&format!("held {}", path.display()));
        let locked_by = format!("refused: pidfile '{}' already locked by ", path.display());
        let known = format!("{locked_by}PID {}", first.pid());
        let unknown = format!(
            "{locked_by}an unknown process; according to /proc/locks, PID {} took the lock",
            first.pid()
        );
        for record in [
            "1\n",
            &format!("{}\n", stranger.pid()),
            "2147483647\n",
            "x\n",
        ] {
            // A record that is written more than 50 ms after the creation of the file may not be
            // the holder's, so a start checks whether the recorded process has the lock.
            thread::sleep(Duration::from_millis(60));
            fs::write(&path, record).expect("write over the record");
            let refusal = holder().line();
            assert!(
                refusal == known || refusal == unknown,
                "{user:?}, {record:?}: {refusal}"
            );
            assert_eq!(text(&path), record);
        }
        assert!(first.finish().1.ends_with("closed\n"));
        assert!(!path.exists());
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn start_whose_new_file_gets_the_pid_of_another_process_is_refused() {
    use pidlock_tests::ptrace::{Stepper, Stop};

    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
    let mut start = Stepper::start(command.arg("close").arg(&path));
    loop {
        match start.step() {
            Stop::Before(call) if call.is(libc::SYS_flock) => break,
            Stop::Ended(ending) => panic!("the start ended before it locked: {ending:?}"),
            _ => {}
        }
    }
    assert_eq!(text(&path), "", "created, and not yet locked");
    let running = Program::start(&mut Command::new("cat"));
    let mut file = fs::File::options()
        .append(true)
        .open(&path)
        .expect("open the file");
    writeln!(file, "{}", running.pid()).expect("write a PID");
    drop(file);
    while !matches!(start.step(), Stop::Ended(_)) {}
    let line = start.line();
    assert!(
        line.starts_with("refused: ")
            && line.contains(&format!("process {} is running", running.pid())),
        "{line}"
    );
    assert_eq!(
        text(&path),
        format!("{}\n", running.pid()),
        "the record is unchanged"
    );
}
