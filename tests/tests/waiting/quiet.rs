//! A start that waits costs nothing: it sleeps, and wakes no other one.

use std::thread;
use std::time::Duration;

use pidlock_tests::{Program, text};

use crate::{Place, WAYS, waiter_for};

/// How often the threads of a process have gone to sleep (proc_pid_status(5)).
fn sleeps(program: &Program) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", program.pid())).expect("list threads");
    let count = |task: std::fs::DirEntry| {
        let status = text(&task.path().join("status"));
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.map_or(0, |count| count.trim().parse().expect("parse a count"))
    };
    tasks.flatten().map(count).sum()
}

/// Twenty waiters that come, go and try: each attempt would wake all others if it were an event.
#[test]
fn waiters_do_not_wake_each_other() {
    for options in [&[][..], &["--no-lock"]] {
        let place = Place::new();
        let holder = place.holder(options);
        let waiters: Vec<Program> = (0..20)
            .map(|n| {
                let options = [WAYS[n % 2], options].concat();
                waiter_for(holder.pid(), &options, &place.path())
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        let before: Vec<u64> = waiters.iter().map(sleeps).collect();
        thread::sleep(Duration::from_secs(2));
        let rounds = waiters
            .iter()
            .zip(before)
            .map(|(waiter, before)| sleeps(waiter) - before);
        let most = rounds.max().expect("there are waiters");
        // A tick of a second, the end of the first ticks, and the helper thread.
        assert!(most <= 30, "a waiter has slept {most} times in two seconds");
    }
}
