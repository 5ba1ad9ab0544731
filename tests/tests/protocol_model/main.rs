//! Exhaustive search of both protocols: every interleaving of the steps of a few processes, with
//! kills at any step. There is never more than one holder, and a start succeeds when no process
//! holds the file. With one check switched off, the search finds a violation and prints the steps
//! that lead to it.
//!
//! `cargo test --test protocol_model -- --nocapture` prints these steps and the numbers of states.

mod locked;
mod search;
mod unlocked;

use pidlock_tests::length::{is_full, some};

use locked::{Budget, Locked, ROOT, Without};
use search::search;
use unlocked::Unlocked;

const TWO_HOLDERS: &str = "two holders";

const BUDGET: Budget = Budget {
    kills: 0,
    restarts: 0,
    forks: 0,
    failures: 0,
    lost_locks: 0,
    writers: 0,
};

/// One start of each of two processes, which belong to different users.
const LOCKED: Locked = Locked {
    processes: 2,
    users: [0, 1, 0],
    gives_to: [0, 1, 0],
    sticky: false,
    keep: [false; locked::PROCESSES],
    budget: BUDGET,
    probe: false,
    written: false,
    without: Without::Nothing,
};

/// Asserts that no state is wrong, neither in the full search nor when one process starts alone in
/// a state that the others have left. Fewer states than `at_least` mean that the search did not
/// cover what the test intends.
fn assert_no_violation(what: &str, at_least: usize, protocol: Locked) {
    let mut left = locked::Left::new(protocol);
    let states = search(&protocol, |state| left.gather(state)).all_right(what);
    assert!(states >= at_least, "{what}: {states} states");
    let mut alone = locked::Alone { who: 0, left };
    for who in 0..protocol.processes {
        alone.who = who;
        search(&alone, |_| {}).all_right(&format!("{what}, then one start alone"));
    }
}

/// One start of each of two processes of one user: a blank file is written into, not replaced.
const ONE_USER: Locked = Locked {
    users: [0; locked::PROCESSES],
    gives_to: [0; locked::PROCESSES],
    ..LOCKED
};

const NONE_KEEPS: [bool; locked::PROCESSES] = [false; locked::PROCESSES];
const ONE_KEEPS: [bool; locked::PROCESSES] = [true, false, false];
const ALL_KEEP: [bool; locked::PROCESSES] = [true; locked::PROCESSES];

#[test]
fn three_starts_and_a_crash_make_one_holder_at_a_time() {
    let budget = Budget { kills: 1, ..BUDGET };
    for (what, at_least, protocol) in some([
        ("two users", 250_000, LOCKED),
        ("one user", 100_000, ONE_USER),
    ]) {
        let protocol = Locked {
            processes: 3,
            budget,
            ..protocol
        };
        assert_no_violation(&format!("three starts, {what}"), at_least, protocol);
    }
}

#[test]
fn repeated_starts_make_one_holder_at_a_time() {
    let budget = Budget {
        kills: 1,
        restarts: 2,
        ..BUDGET
    };
    for (what, at_least, keep, protocol) in some([
        ("two users", 80_000, NONE_KEEPS, LOCKED),
        ("two users, one keeps the file", 70_000, ONE_KEEPS, LOCKED),
        ("two users, both keep the file", 70_000, ALL_KEEP, LOCKED),
        ("one user", 70_000, NONE_KEEPS, ONE_USER),
    ]) {
        let protocol = Locked {
            keep,
            budget,
            ..protocol
        };
        assert_no_violation(&format!("starts again, {what}"), at_least, protocol);
    }
}

/// The superuser gives its file to another user.
#[test]
fn starts_with_chown_or_sticky_directory_make_one_holder_at_a_time() {
    let budget = Budget {
        kills: 1,
        restarts: 2,
        ..BUDGET
    };
    for (what, at_least, users, gives_to, sticky) in some([
        ("two users, sticky", 40_000, [0, 1, 0], [0, 1, 0], true),
        ("root and a user", 80_000, [ROOT, 1, 0], [1, 1, 0], false),
        (
            "root and a user, sticky",
            70_000,
            [ROOT, 1, 0],
            [1, 1, 0],
            true,
        ),
        (
            "root twice, sticky",
            90_000,
            [ROOT, ROOT, 0],
            [1, 1, 0],
            true,
        ),
        (
            "root for two users",
            80_000,
            [ROOT, ROOT, 0],
            [1, 0, 0],
            true,
        ),
    ]) {
        let protocol = Locked {
            users,
            gives_to,
            sticky,
            budget,
            ..LOCKED
        };
        assert_no_violation(what, at_least, protocol);
    }
}

#[test]
fn probes_make_no_second_holder() {
    let protocol = Locked {
        budget: Budget {
            kills: 1,
            restarts: 1,
            ..BUDGET
        },
        probe: true,
        ..LOCKED
    };
    assert_no_violation("beside a probe", 250_000, protocol);
}

#[test]
fn errors_and_lost_locks_make_no_second_holder() {
    let failing = Budget {
        failures: 1,
        restarts: 2,
        ..BUDGET
    };
    let losing = Budget {
        lost_locks: 1,
        forks: 1,
        kills: 1,
        ..BUDGET
    };
    let failing_and_forking = Budget {
        forks: 1,
        restarts: 1,
        ..failing
    };
    for (what, at_least, budget) in some([
        ("with an error", 100_000, failing),
        ("with an error and a fork", 200_000, failing_and_forking),
        ("with a lost lock", 20_000, losing),
    ]) {
        let protocol = Locked { budget, ..LOCKED };
        assert_no_violation(what, at_least, protocol);
    }
}

#[test]
fn process_that_does_not_lock_makes_no_second_holder() {
    let again = Budget {
        kills: 1,
        restarts: 1,
        ..BUDGET
    };
    let writing = Budget {
        writers: 1,
        ..BUDGET
    };
    let writing_again = Budget {
        restarts: 1,
        ..writing
    };
    let failing = Budget {
        failures: 1,
        ..writing
    };
    for (what, at_least, written, budget) in some([
        ("after a writer", 30_000, true, again),
        ("after a writer, beside another", 30_000, true, writing),
        ("beside a writer", 250_000, false, writing_again),
        ("beside a writer, with an error", 90_000, false, failing),
    ]) {
        let protocol = Locked {
            budget,
            written,
            ..LOCKED
        };
        assert_no_violation(what, at_least, protocol);
    }
}

#[test]
fn forked_children_that_share_the_lock_make_no_second_holder() {
    for (who, keep) in some([("none keeps", NONE_KEEPS), ("one keeps", ONE_KEEPS)]) {
        let again = Budget {
            forks: 1,
            kills: 1,
            restarts: 1,
            ..BUDGET
        };
        let twice = Budget { forks: 2, ..BUDGET };
        let beside = Budget {
            forks: 1,
            writers: 1,
            ..BUDGET
        };
        for (what, at_least, budget, probe, protocol) in some([
            ("starts again", 60_000, again, false, LOCKED),
            ("again, and a probe", 100_000, twice, true, ONE_USER),
            ("beside a writer", 200_000, beside, false, LOCKED),
        ]) {
            let protocol = Locked {
                budget,
                probe,
                keep,
                ..protocol
            };
            assert_no_violation(&format!("forks, {what}, {who}"), at_least, protocol);
        }
    }
}

/// Asserts that `wrong` can happen if a part of the protocol is switched off, and returns the steps
/// that lead to it. At full length, also asserts that the complete protocol has no violation.
fn assert_needed(protocol: Locked, without: Without, wrong: &str, what: &str) -> Vec<String> {
    if is_full() {
        search(&protocol, |_| {}).all_right(what);
    }
    let protocol = Locked {
        without,
        ..protocol
    };
    search(&protocol, |_| {}).trace_to(wrong, &format!("without {what}"))
}

/// The first case, without the path check, is what Python's `pid` does.
#[test]
fn each_check_of_an_attempt_is_needed() {
    let trace = assert_needed(LOCKED, Without::PathCheck, TWO_HOLDERS, "the path check");
    let unlinked = trace.iter().position(|step| step.contains("unlink"));
    let locked = trace
        .iter()
        .position(|step| step.contains("A  acquire::attempt: flock"));
    assert!(unlinked < locked, "an unlinked file was locked: {trace:?}");

    let written = Locked {
        written: true,
        ..LOCKED
    };
    let what = "the path check after the liveness check";
    let trace = assert_needed(written, Without::PathCheckLast, TWO_HOLDERS, what);
    assert!(trace.iter().any(|step| step.contains("the writer removes")));

    let three = Locked {
        processes: 3,
        keep: ALL_KEEP,
        ..ONE_USER
    };
    let what = "refusals that only close";
    assert_needed(three, Without::RefusalsThatOnlyClose, TWO_HOLDERS, what);

    let what = "an exclusive lock while a file is replaced";
    let others = Locked {
        gives_to: [0; locked::PROCESSES],
        ..ONE_USER
    };
    assert_needed(others, Without::ExclusiveLock, TWO_HOLDERS, what);

    let forking = Locked {
        budget: Budget { forks: 1, ..BUDGET },
        ..LOCKED
    };
    let what = "an unlock before a blank file is closed";
    assert_needed(
        forking,
        Without::UnlockBeforeClose,
        locked::ALL_REFUSED,
        what,
    );

    let failing = Locked {
        budget: Budget {
            failures: 1,
            writers: 1,
            ..BUDGET
        },
        ..LOCKED
    };
    let what = "the check that a created file is blank before a failed start unlinks it";
    assert_needed(failing, Without::BlankBeforeAbort, locked::HARM, what);
}

#[test]
fn each_check_of_a_release_is_needed() {
    let forking = Locked {
        budget: Budget {
            forks: 1,
            restarts: 1,
            ..BUDGET
        },
        ..ONE_USER
    };
    assert_needed(forking, Without::Reopening, TWO_HOLDERS, "reopening");
    let what = "the lock while unlinking";
    assert_needed(forking, Without::LockWhileUnlinking, TWO_HOLDERS, what);
    let again = Locked {
        budget: Budget {
            restarts: 2,
            ..forking.budget
        },
        ..LOCKED
    };
    let what = "the path check after reopening";
    assert_needed(again, Without::SecondPathCheck, TWO_HOLDERS, what);

    let beside = Locked {
        budget: Budget {
            forks: 1,
            writers: 1,
            ..BUDGET
        },
        ..LOCKED
    };
    let what = "the blank check after reopening";
    assert_needed(beside, Without::BlankCheck, locked::HARM, what);
    let kept = Locked {
        keep: ALL_KEEP,
        ..beside
    };
    let what = "truncating a kept file only once";
    assert_needed(kept, Without::TruncatingOnce, locked::HARM, what);
}

const UNLOCKED: Unlocked = Unlocked {
    processes: 3,
    kills: 0,
    restarts: 1,
    keep: false,
    without_look_at_name: false,
    without_second_look: false,
    without_second_name: false,
};

fn assert_no_violation_without_locks(what: &str, at_least: usize, protocol: Unlocked) {
    let mut left = unlocked::Beginnings::new(protocol);
    let states = search(&protocol, |state| left.gather(state)).all_right(what);
    assert!(states >= at_least, "{what}: {states} states");
    let mut alone = unlocked::Alone {
        who: 0,
        beginnings: left,
    };
    for who in 0..unlocked::PROCESSES {
        alone.who = who;
        search(&alone, |_| {}).all_right(&format!("{what}, then one start alone"));
    }
}

#[test]
fn lockless_starts_with_two_kills_make_one_holder_at_a_time() {
    for keep in some([false, true]) {
        let protocol = Unlocked {
            kills: 2,
            restarts: 0,
            keep,
            ..UNLOCKED
        };
        let what = format!("three processes without locks, keep {keep}");
        assert_no_violation_without_locks(&what, 150_000, protocol);
    }
}

#[test]
fn lockless_starts_with_reused_pids_make_one_holder_at_a_time() {
    let protocol = Unlocked {
        processes: 2,
        kills: 2,
        ..UNLOCKED
    };
    assert_no_violation_without_locks("two processes without locks", 30_000, protocol);
}

#[test]
fn each_check_of_a_lockless_start_is_needed() {
    let without_look_at_name = Unlocked {
        without_look_at_name: true,
        ..UNLOCKED
    };
    let without_second_look = Unlocked {
        without_second_look: true,
        ..UNLOCKED
    };
    let without_second_name = Unlocked {
        without_second_name: true,
        ..UNLOCKED
    };
    for (what, protocol) in some([
        ("no path check", without_look_at_name),
        ("no second inspection", without_second_look),
        ("no second name", without_second_name),
    ]) {
        let trace = search(&protocol, |_| {}).trace_to(TWO_HOLDERS, what);
        let replaced = trace.iter().any(|step| step.ends_with(": rename"));
        assert!(replaced, "{what}: {trace:?}");
    }
}
