//! Eight processes that start again and again: never two inside, none fails, and nothing is left.

use std::io::Read;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::PidFile;
use pidlock_portable::{Running, TempDir, holder, run, said, start};

const PROCESSES: u32 = 8;

/// How much longer than its time a storm can take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn time() -> Duration {
    match std::env::var_os("PIDLOCK_TESTS_FULL") {
        Some(_) => Duration::from_secs(5),
        None => Duration::from_secs(2),
    }
}

/// Every fifth start is killed while it holds the file if `kills` is set.
fn storm(options: &[&str], kills: bool) {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let end = Instant::now() + time();
    let (inside, killed) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for process in 0..PROCESSES {
            let (path, inside, killed) = (&path, &inside, &killed);
            scope.spawn(move || {
                for number in process.. {
                    // On a busy machine, the time can be too short for what is asserted below.
                    let has_both = || {
                        let count = |number: &AtomicU32| number.load(Ordering::Relaxed) > 0;
                        count(inside) && (!kills || count(killed))
                    };
                    if Instant::now() > end && (has_both() || Instant::now() > end + PATIENCE) {
                        return;
                    }
                    let mut command = holder(path, &[options, &["alone"]].concat());
                    if kills && number % 5 == 0 {
                        killed.fetch_add(
                            u32::from(kill_inside(command.arg("end=abort"))),
                            Ordering::Relaxed,
                        );
                        continue;
                    }
                    let output = run(&mut command);
                    match output.status.code() {
                        Some(0) => inside.fetch_add(1, Ordering::Relaxed),
                        Some(3) => continue, // refused
                        code => panic!("{code:?}: {}", said(&output)),
                    };
                }
            });
        }
    });
    let (inside, killed) = (inside.into_inner(), killed.into_inner());
    println!("{inside} inside, {killed} killed");
    assert!(inside > 0 && kills == (killed > 0));
    let lock = !options.contains(&"unlocked");
    let file = PidFile::at(&path)
        .lock(lock)
        .keep(options.contains(&"keep"));
    file.acquire()
        .expect("acquire after the storm")
        .close()
        .expect("release");
    assert_eq!(path.exists(), options.contains(&"keep"));
}

/// Returns `false` if the start was refused.
fn kill_inside(command: &mut std::process::Command) -> bool {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = start(child);
    let mut first = [0];
    let stdout = child.stdout.as_mut().expect("its output is piped");
    let is_inside = stdout.read(&mut first).expect("read a byte") == 1;
    if is_inside {
        child.kill().expect("kill");
    }
    let output = child.wait_with_output().expect("wait");
    if !is_inside {
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    }
    is_inside
}

#[test]
fn starts_that_end_cleanly() {
    storm(&[], false);
    storm(&["keep"], false);
}

#[test]
fn starts_that_are_killed() {
    storm(&[], true);
    storm(&["keep"], true);
}

#[test]
fn starts_without_locks() {
    storm(&["unlocked"], false);
    storm(&["unlocked"], true);
}

#[test]
fn starts_that_wait() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let first = Running::start(&mut holder(&path, &[]));
    thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                let output = run(&mut holder(&path, &["timeout=60000", "alone"]));
                assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            });
        }
        drop(first);
    });
    assert!(!path.exists());
}
