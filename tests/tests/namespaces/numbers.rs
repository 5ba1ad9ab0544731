//! PIDs that are reused after a crash. The tests make the kernel reuse a PID at once.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_tests::{Program, rerun_in_namespace, text};

use super::{flags, holder};

#[test]
fn start_over_a_reused_pid_is_refused_if_its_process_may_be_the_holder() {
    if let Some(place) = rerun_in_namespace::inside() {
        return in_a_namespace_of_our_own(&place);
    }
    let flags = flags(&["--pid", "--fork", "--mount-proc"]);
    if rerun_in_namespace::can_unshare(&flags) {
        rerun_in_namespace::within(
            "numbers::start_over_a_reused_pid_is_refused_if_its_process_may_be_the_holder",
            &flags,
            ":",
        );
    }
}

/// Makes the kernel give this PID to the next process.
fn set_next(number: u32) {
    fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string())
        .expect("PID 1 of a namespace can choose the next PID");
}

/// Starts a process that has this PID and does not use the pidfile.
fn stranger(number: u32) -> Program {
    set_next(number);
    let stranger = Program::start(&mut Command::new("cat"));
    assert_eq!(stranger.pid(), number);
    stranger
}

fn zombie(number: u32) -> Child {
    set_next(number);
    let zombie = Command::new("true").stdin(Stdio::null()).spawn();
    let zombie = zombie.expect("start `true`");
    assert_eq!(zombie.id(), number);
    zombie
}

/// Kills a holder, which leaves its file, and returns the PID in the file.
fn crash(path: &Path, arguments: &[&str]) -> u32 {
    let mut holder = Program::start(holder(path).args(arguments));
    assert!(holder.line().starts_with("held "));
    holder.kill();
    assert_eq!(text(path), format!("{}\n", holder.pid()));
    holder.pid()
}

fn set_written(path: &Path, time: SystemTime) {
    let file = File::options()
        .write(true)
        .open(path)
        .expect("open the file");
    file.set_modified(time).expect("set the time");
}

fn in_a_namespace_of_our_own(place: &Path) {
    let path = place.join("app.pid");
    let file = PidFile::at(&path);
    for (arguments, lock) in [(&[][..], true), (&["--no-lock"], false)] {
        let file = file.clone().lock(lock);

        // The process started before the file was written, so it may have written the file.
        let number = crash(&path, arguments);
        let before = SystemTime::now();
        let stranger_is_there = stranger(number);
        set_written(&path, SystemTime::now());
        assert!(matches!(file.status(), Ok(Status::RunningUnlocked { pid }) if pid == number));
        let error = file.acquire().expect_err("the process may be the holder");
        assert!(
            matches!(error, PidFileError::AlreadyRunning { pid, .. } if pid == number),
            "{error}"
        );

        // The process started half a second after the file was written. That makes the file stale
        // only with the lock mark, which only a holder that locks sets.
        set_written(&path, before - Duration::from_millis(500));
        let is_stale = || matches!(file.status(), Ok(Status::Stale { .. }));
        assert_eq!(is_stale(), lock);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set the mode");
        assert!(!is_stale(), "without the mark");

        // The process started long after the file was written. So a start that locks takes the file
        // over. A start with `lock(false)` does not compare times: it is refused, because the
        // recorded process is alive.
        set_written(&path, before - Duration::from_secs(10));
        match file.acquire() {
            Ok(guard) => {
                assert!(lock);
                guard.close().expect("release");
            }
            Err(error) => {
                assert!(!lock, "{error}");
                assert_eq!(error.pid(), Some(number));
            }
        }
        drop(stranger_is_there);
        let _ = fs::remove_file(&path);

        // The next start has the PID of the holder that crashed.
        let number = crash(&path, arguments);
        set_next(number);
        let mut next = Program::start(holder(&path).args(arguments));
        assert_eq!(next.pid(), number);
        next.expect(&format!("held {}", path.display()));
        next.finish();
        assert!(!path.exists());

        // A zombie has the PID of the holder that crashed.
        let number = crash(&path, arguments);
        let mut ended = zombie(number);
        let begin = Instant::now();
        while matches!(file.status(), Ok(Status::RunningUnlocked { .. })) {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "the zombie is reported as running"
            );
            std::thread::yield_now();
        }
        let guard = file.acquire().expect("a zombie does not hold the file");
        guard.close().expect("release");
        ended.wait().expect("wait for the zombie");
    }
}
