//! OpenRC, `start-stop-daemon`, s6 and runit.

use std::fs;
use std::process::{Command, Stdio};

use pidlock_tests::{Program, run};

use crate::{
    LOG, PIDFILE, assert_refuses_second_start, holder, install, kill_service, log_lines,
    next_holder, on_own_machine, shell, succeeds,
};

#[test]
fn openrc_starts_reloads_and_stops() {
    let test = "supervisors::openrc_starts_reloads_and_stops";
    on_own_machine(test, &["openrc-run", "start-stop-daemon", "pkill"], || {
        install("my-app.openrc", "755", "/etc/init.d/my-app");
        // What OpenRC has created before it starts the first service.
        shell(
            "cd /run && mkdir -p openrc/exclusive openrc/starting openrc/started openrc/daemons \
               openrc/options openrc/stopping openrc/inactive openrc/failed openrc/tmp && \
               touch openrc/softlevel",
        );
        let service = |action: &str| {
            let mut command = Command::new("openrc-run");
            command.args(["/etc/init.d/my-app", "--nodeps", action]);
            command
        };
        succeeds(&mut service("start"));
        // The start has returned: the file is complete.
        let first = holder(PIDFILE).expect("a holder");
        assert_refuses_second_start(first);
        succeeds(&mut service("status"));
        succeeds(&mut service("reload"));
        let lines = [
            format!("serving as PID {first}"),
            "opened the log again".into(),
        ];
        assert_eq!(log_lines(LOG, 2), lines);
        kill_service(first);
        let stale = run(&mut service("reload"));
        assert!(!stale.status.success(), "no process is signalled");
        // Debian's OpenRC does not look whether the process still runs, so it is told.
        succeeds(&mut service("zap"));
        succeeds(&mut service("start"));
        assert_refuses_second_start(next_holder(PIDFILE, first));
        succeeds(&mut service("stop"));
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}

#[test]
fn start_stop_daemon_finds_the_process_by_the_pidfile() {
    let test = "supervisors::start_stop_daemon_finds_the_process_by_the_pidfile";
    on_own_machine(test, &["start-stop-daemon"], || {
        shell("install -d -o my-app /run/my-app /var/log/my-app");
        let daemon = |arguments: &str| {
            let mut command = Command::new("start-stop-daemon");
            command
                .args(["--pidfile", PIDFILE, "--user", "my-app"])
                .args(["--exec", "/usr/local/bin/my-app"])
                .args(arguments.split(' '));
            command
        };
        let start = "--start --chuid my-app -- --background";
        assert_eq!(run(&mut daemon("--status")).status.code(), Some(3));
        succeeds(&mut daemon(start));
        let pid = holder(PIDFILE).expect("a holder");
        succeeds(&mut daemon("--status"));
        // Started already: nothing to do, which is status 1.
        assert_eq!(run(&mut daemon(start)).status.code(), Some(1));
        kill_service(pid);
        assert_eq!(run(&mut daemon("--status")).status.code(), Some(1));
        succeeds(&mut daemon(start));
        succeeds(&mut daemon("--stop --retry 30"));
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}

/// Starts the run script under a supervisor.
fn supervised(supervisor: &str) -> Program {
    install("run", "755", "/run/service/my-app/run");
    Program::start(Command::new(supervisor).arg("/run/service/my-app"))
}

/// Waits until the service runs, and starts it over a stale file.
fn starts_over_stale_file(output: &mut Program) {
    let first = next_holder(PIDFILE, 0);
    output.expect(&format!("serving as PID {first}"));
    assert_eq!(shell(&format!("stat --format %U {PIDFILE}")), "my-app\n");
    assert_refuses_second_start(first);
    kill_service(first);
    let second = next_holder(PIDFILE, first);
    output.expect(&format!("serving as PID {second}"));
}

fn control(command: &str) {
    let mut words = command.split(' ');
    let mut control = Command::new(words.next().expect("a word"));
    succeeds(
        control
            .args(words)
            .arg("/run/service/my-app")
            .stdin(Stdio::null()),
    );
}

#[test]
fn s6_supervises() {
    let tools = ["s6-supervise", "s6-svc", "s6-svwait"];
    on_own_machine("supervisors::s6_supervises", &tools, || {
        let mut supervisor = supervised("s6-supervise");
        starts_over_stale_file(&mut supervisor);
        control("s6-svc -h");
        supervisor.expect("opened the log again");
        control("s6-svc -wD -dx");
        supervisor.expect("done");
        assert!(supervisor.wait().success());
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}

#[test]
fn runit_supervises() {
    on_own_machine("supervisors::runit_supervises", &["runsv", "sv"], || {
        let mut supervisor = supervised("runsv");
        starts_over_stale_file(&mut supervisor);
        control("sv hup");
        supervisor.expect("opened the log again");
        control("sv exit");
        supervisor.expect("done");
        assert!(supervisor.wait().success());
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}
