//! Runs the files of `examples/services` with the programs that read them.
//!
//! Each test has `/etc`, `/usr/local`, `/var/log`, `/run` and the PIDs to itself, so that the files
//! are used as they are, with the paths that a machine has. Nothing of a test outlives it.

#![cfg(unix)]

mod container;
mod jobs;
mod supervisors;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, Status};
use pidlock_tests::{
    example, has_tool, is_root, rerun_in_namespace, run, said, skip, skip_for_this_user,
};

/// The pidfile of the service.
const PIDFILE: &str = "/run/my-app/my-app.pid";

/// The log of the service in the background.
const LOG: &str = "/var/log/my-app/my-app.log";

/// Calls `check` on a machine of its own, on which the programs and the user `my-app` are installed.
/// `test` is the name of the calling test. Skips the test if a tool is missing.
fn on_own_machine(test: &str, tools: &[&str], check: fn()) {
    on_machine_prepared_by(":", test, tools, check);
}

/// Runs a shell script beforehand.
fn on_machine_prepared_by(script: &str, test: &str, tools: &[&str], check: fn()) {
    if rerun_in_namespace::inside().is_some() {
        return check();
    }
    if !is_root() {
        return skip_for_this_user("installs services, which needs root");
    }
    if let Some(tool) = tools.iter().find(|tool| !has_tool(tool)) {
        return skip(&format!("{tool} is not installed"));
    }
    let programs = ["my-app", "upgrade", "cron_job"]
        .map(|name| example(name, Path::new("/")).get_program().to_owned());
    let programs = programs.map(|path| format!("{path:?}")).join(" ");
    let install = format!(
        r#"
        mount -t tmpfs tmpfs "$1"
        for dir in /etc /usr/local /var/log; do
            mkdir -p "$1/new$dir" "$1/work$dir"
            mount -t overlay overlay "$dir" \
                -o "lowerdir=$dir,upperdir=$1/new$dir,workdir=$1/work$dir"
        done
        mount -t tmpfs tmpfs /run
        useradd --system my-app
        mkdir -p /usr/local/bin
        install {programs} /usr/local/bin
        {script}"#
    );
    let flags = ["--mount", "--pid", "--fork", "--mount-proc"];
    rerun_in_namespace::within(test, &flags, &install);
}

/// A file of `examples/services`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("services")
        .join(name)
}

/// Copies a file of `examples/services` to where a machine has it.
fn install(name: &str, mode: &str, path: &str) {
    let mut command = Command::new("install");
    command.args(["-D", "-m", mode]).arg(file(name)).arg(path);
    succeeds(&mut command);
}

/// Runs a command that must succeed. Returns what it prints.
fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    said(&output)
}

/// Runs a shell command that must succeed. Returns what it prints.
fn shell(command: &str) -> String {
    succeeds(Command::new("sh").args(["-c", command]))
}

/// Waits until a function returns a value.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "still not {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the process that holds a pidfile.
fn holder(pidfile: &str) -> Option<u32> {
    match PidFile::at(pidfile).status() {
        Ok(Status::Locked { pid, .. }) => pid,
        _ => None,
    }
}

/// Kills the service, and waits until it has released its lock.
fn kill_service(pid: u32) {
    shell(&format!("kill -9 {pid}"));
    until("free", || (holder(PIDFILE) != Some(pid)).then_some(()));
}

/// Waits until a pidfile is held by another process than `old`, and returns it.
fn next_holder(pidfile: &str, old: u32) -> u32 {
    until("held", || holder(pidfile).filter(|pid| *pid != old))
}

/// Checks that a start by hand is refused because of the process that holds the pidfile.
fn assert_refuses_second_start(pid: u32) {
    let second = run(&mut as_service_user("/usr/local/bin/my-app"));
    let refusal = format!("Error: pidfile '{PIDFILE}' already locked by PID {pid}\n");
    assert_eq!(said(&second), refusal);
}

/// A command that runs as the user of the service.
fn as_service_user(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=my-app", "--regid=my-app", "--init-groups"])
        .arg(program);
    command
}

/// Waits until the log has this many lines, and returns them.
fn log_lines(path: &str, count: usize) -> Vec<String> {
    until("logged", || {
        let text = fs::read_to_string(path).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}
