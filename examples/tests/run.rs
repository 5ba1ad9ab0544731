//! Runs each example as a user would.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use pidlock_tests::{Program, example, run, said};

struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the example");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("read a line");
        line.trim_end().to_owned()
    }

    /// Reads lines up to and including this one.
    fn wait_for(&mut self, wanted: &str) {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the example ended without {wanted:?}");
            if line == wanted {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("create a directory")
}

#[test]
fn quickstart_refuses_second_start_until_kill_9() {
    let dir = dir();
    let path = dir.path().join("pidlock-quickstart.pid");
    let mut first = Running::start(example("quickstart", dir.path()).arg("1000"));
    let pid = first.child.id();
    assert_eq!(
        first.line(),
        format!("running as PID {pid}, see {}", path.display())
    );
    assert_eq!(
        fs::read_to_string(&path).expect("read the pidfile"),
        format!("{pid}\n")
    );

    // Use the fastest of several runs, because other load on the machine delays some of them.
    let fastest = (0..20)
        .map(|_| {
            let start = Instant::now();
            let second = example("quickstart", dir.path())
                .output()
                .expect("run the example");
            let time = start.elapsed();
            assert_eq!(second.status.code(), Some(1));
            let refusal = format!(
                "Error: pidfile '{}' already locked by PID {pid}\n",
                path.display()
            );
            assert_eq!(said(&second), refusal);
            time
        })
        .min();
    assert!(fastest < Some(Duration::from_millis(50)), "{fastest:?}");

    first.child.kill().expect("kill the first process");
    assert_eq!(
        first.child.wait().expect("wait for the process").signal(),
        Some(9)
    );
    assert!(path.exists(), "a killed process cannot remove its pidfile");

    let third = example("quickstart", dir.path())
        .arg("0")
        .output()
        .expect("run the example");
    assert!(third.status.success(), "{}", said(&third));
    assert!(said(&third).ends_with("done\n"), "{}", said(&third));
    assert!(!path.exists());
}

#[test]
fn quickstart_with_bad_argument_fails_and_leaves_no_file() {
    let dir = dir();
    let output = example("quickstart", dir.path())
        .arg("soon")
        .output()
        .expect("run the example");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "Error: \"'soon' is no number of seconds\"\n");
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("list the directory")
            .count(),
        0
    );
}

#[test]
fn cron_job_skips_a_running_job_or_waits_for_it() {
    let dir = dir();
    let mut job = Program::start(&mut example("cron_job", dir.path()));
    job.expect("working");
    let skipped = run(&mut example("cron_job", dir.path()));
    assert!(skipped.status.success());
    assert_eq!(said(&skipped), "");
    let mut waiting = Program::start(example("cron_job", dir.path()).arg("--wait"));
    job.go_on();
    job.expect("done");
    waiting.expect("working");
    assert!(job.wait().success());
    waiting.go_on();
    waiting.expect("done");
    assert!(waiting.wait().success());
}

#[test]
fn worker_in_second_process_is_busy() {
    let dir = dir();
    let mut first = Running::start(
        example("workers", dir.path())
            .args(["0", "1", "2"])
            .env("WORK_SECONDS", "1000"),
    );
    let pid = first.child.id();
    let mut lines = [first.line(), first.line(), first.line()];
    lines.sort();
    assert_eq!(
        lines,
        [0, 1, 2].map(|id| format!("worker {id} runs in process {pid}"))
    );
    for id in 0..3 {
        let path = dir.path().join(format!("worker-{id}.pid"));
        assert_eq!(
            fs::read_to_string(path).expect("read the pidfile"),
            format!("{pid}\n")
        );
    }

    let second = example("workers", dir.path())
        .args(["2", "3"])
        .env("WORK_SECONDS", "0")
        .output()
        .expect("run the example");
    let lines = said(&second);
    let path = dir.path().join("worker-2.pid");
    let busy = format!(
        "worker 2 is busy: pidfile '{}' already locked by PID {pid}",
        path.display()
    );
    assert!(lines.lines().any(|line| line == busy), "{lines}");
    assert!(
        lines.lines().any(|line| line == "worker 3 is done"),
        "{lines}"
    );

    drop(first);
    let mut third = Running::start(
        example("workers", dir.path())
            .arg("2")
            .env("WORK_SECONDS", "0"),
    );
    third.wait_for("worker 2 is done");
    third.child.wait().expect("wait for the process");
    assert!(!path.exists());
}

#[test]
fn worker_is_busy_for_another_thread_with_its_id() {
    let dir = dir();
    let mut twice = Running::start(
        example("workers", dir.path())
            .args(["7", "7"])
            .env("WORK_SECONDS", "1000"),
    );
    let pid = twice.child.id();
    let path = dir.path().join("worker-7.pid");
    let mut lines = [twice.line(), twice.line()];
    lines.sort();
    assert_eq!(
        lines,
        [
            format!(
                "worker 7 is busy: pidfile '{}' already locked by this process (PID {pid}): \
                 `reentrant` lets it acquire again",
                path.display()
            ),
            format!("worker 7 runs in process {pid}"),
        ]
    );
}

#[test]
fn guard_distinguishes_holder_from_process_without_lock() {
    let dir = dir();
    let path = dir.path().join("pidlock-guard.pid");
    let mut first = Running::start(example("guard", dir.path()).arg("1000"));
    let pid = first.child.id();
    assert_eq!(
        first.line(),
        format!("doing the work as PID {pid}, see {}", path.display())
    );
    let second = example("guard", dir.path())
        .output()
        .expect("run the example");
    assert!(second.status.success());
    assert_eq!(
        said(&second),
        format!("nothing to do: process {pid} is at it\n")
    );
    drop(first);

    let me = std::process::id();
    fs::write(&path, format!("{me}\n")).expect("write the PID of a process that does not lock");
    let third = example("guard", dir.path())
        .output()
        .expect("run the example");
    assert_eq!(third.status.code(), Some(1));
    let words = format!(
        "process {me}, named by {}, runs without the lock\n",
        path.display()
    );
    assert_eq!(said(&third), words);

    fs::remove_file(&path).expect("remove the pidfile");
    let fourth = example("guard", dir.path())
        .arg("0")
        .output()
        .expect("run the example");
    assert!(fourth.status.success(), "{}", said(&fourth));
    assert!(!path.exists());
}
