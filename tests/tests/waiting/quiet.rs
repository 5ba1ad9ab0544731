//! A start that waits costs nothing: it sleeps, and wakes no other one.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use pidlock_tests::{Program, text};

use crate::{Place, WAYS, waiter_for};

/// How often the threads of a process have gone to sleep (proc_pid_status(5)).
fn sleeps(program: &Program) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", program.pid())).expect("list threads");
    let count = |task: std::fs::DirEntry| sleeps_in(&text(&task.path().join("status")));
    tasks.flatten().map(count).sum()
}

fn sleeps_in(status: &str) -> u64 {
    let line = "voluntary_ctxt_switches:";
    let count = status.lines().find_map(|it| it.strip_prefix(line));
    count.map_or(0, |count| count.trim().parse().expect("parse a count"))
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

/// The holder is this process, which looks at the file in another way.
#[test]
fn wait_for_the_same_process_is_quiet() {
    let place = Place::new();
    let _guard = place.held();
    let file = place.file().timeout(Duration::from_secs(2));
    let future = file.acquire_async();
    let polls = thread::spawn(move || {
        let mut polls = 0;
        let mut future = pin!(future);
        let counted = std::future::poll_fn(|context| {
            polls += 1;
            future.as_mut().poll(context)
        });
        let error = futures_executor::block_on(counted).expect_err("the file is held");
        assert!(error.is_contention(), "{error}");
        polls
    });
    assert!(polls.join().expect("the thread does not panic") <= 30);
    let sleeps = || {
        let status = text(Path::new("/proc/thread-self/status"));
        sleeps_in(&status)
    };
    let before = sleeps();
    file.acquire().expect_err("the file is held");
    let count = sleeps() - before;
    assert!(
        count <= 30,
        "the thread has slept {count} times in two seconds"
    );
}
