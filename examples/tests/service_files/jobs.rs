//! logrotate and cron, and the syntax of the shell scripts.

use std::fs;
use std::process::Command;

use pidlock_tests::{Program, has_tool, run, said, skip};

use crate::{
    LOG, PIDFILE, as_service_user, file, holder, install, kill_service, log_lines, on_own_machine,
    shell,
};

#[test]
fn logrotate_tells_the_process_that_holds_the_pidfile() {
    let test = "jobs::logrotate_tells_the_process_that_holds_the_pidfile";
    on_own_machine(test, &["logrotate", "pkill"], || {
        shell("install -d -o my-app -g my-app /run/my-app /var/log/my-app");
        let config = "/etc/logrotate.d/my-app";
        install("my-app.logrotate", "644", config);
        let checked = shell(&format!("logrotate --debug {config} 2>&1"));
        assert!(!checked.contains("error"), "{checked}");

        let start = run(as_service_user("/usr/local/bin/my-app").arg("--background"));
        assert!(start.status.success(), "{}", said(&start));
        let pid = holder(PIDFILE).expect("a holder");
        let serving = format!("serving as PID {pid}");
        assert_eq!(log_lines(LOG, 1), std::slice::from_ref(&serving));
        let rotate = format!("logrotate --force --state /run/state {config}");
        assert_eq!(shell(&rotate), "");
        // The service goes on in a new file.
        assert_eq!(log_lines(LOG, 1), ["opened the log again"]);
        assert_eq!(log_lines(&format!("{LOG}.1"), 1), [serving]);

        // A process that has the PID of a stale file gets no signal.
        kill_service(pid);
        let other = Program::start(&mut Command::new("cat"));
        fs::write(PIDFILE, format!("{}\n", other.pid())).expect("write a PID");
        let rotated = run(Command::new("sh").args(["-c", &rotate]));
        assert!(!rotated.status.success(), "no process holds the pidfile");
        let mut other = other;
        assert!(other.finish().0.success(), "SIGHUP would have ended it");
    });
}

#[test]
fn cron_line_skips_a_job_that_is_running() {
    on_own_machine("jobs::cron_line_skips_a_job_that_is_running", &[], || {
        shell("install -d -o my-app -g my-app /run/my-app");
        let text = fs::read_to_string(file("my-app.cron")).expect("read the file");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let (settings, jobs): (Vec<_>, Vec<_>) = lines.partition(|line| {
            line.split(' ')
                .next()
                .is_some_and(|word| word.contains('='))
        });
        // Five fields for the time, the user, and the rest of the line for the shell.
        let fields: Vec<_> = jobs[0].splitn(7, ' ').collect();
        assert_eq!((jobs.len(), fields[5]), (1, "my-app"));
        for time in &fields[..5] {
            assert!(time.chars().all(|c| "*/0123456789".contains(c)), "{time}");
        }
        let job = || {
            let mut command = as_service_user("/bin/sh");
            command.args(["-c", fields[6]]).env_clear();
            command.env("PATH", "/usr/bin:/bin");
            command.envs(settings.iter().filter_map(|line| line.split_once('=')));
            command
        };
        let mut running = Program::start(&mut job());
        running.expect("working");
        let skipped = run(&mut job());
        assert!(skipped.status.success());
        assert_eq!(said(&skipped), "");
        running.go_on();
        running.expect("done");
        assert!(running.wait().success());
    });
}

#[test]
fn scripts_are_portable_shell() {
    if !has_tool("shellcheck") {
        return skip("shellcheck is not installed");
    }
    for script in ["run", "my-app.openrc"] {
        let mut check = Command::new("shellcheck");
        // OpenRC reads the variables.
        check
            .args(["--shell=sh", "--exclude=SC2034"])
            .arg(file(script));
        let output = run(&mut check);
        assert!(output.status.success(), "{}", said(&output));
    }
}
