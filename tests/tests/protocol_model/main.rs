//! Every order in which the steps of a few processes can come, with deaths at any of them, in both
//! protocols: there is never more than one holder, and a start where nobody is in succeeds. With a
//! check taken out the search finds two holders, and prints the steps that lead there.
//!
//! `cargo test --test protocol_model -- --nocapture` prints those, and how many states there are.

mod locked;
mod search;
mod unlocked;

use locked::Locked;
use search::search;
use unlocked::Unlocked;

const TWO_HOLDERS: &str = "two holders";

/// Two starts, and one of them once more.
const LOCKED: Locked = Locked {
    processes: 2,
    kills: 0,
    restarts: 1,
    keep: [false; locked::PROCESSES],
    forks: false,
    onlooker: false,
    second_look: [true; locked::PROCESSES],
    looks_early: false,
    unlocks_first: false,
};

/// Searches everything, and from everything that is left what a start alone comes to. A model of
/// fewer states than `at_least` is not the one that was meant.
fn assert_whole(what: &str, at_least: usize, protocol: Locked) {
    let mut left = locked::Beginnings::new(protocol);
    let states = search(&protocol, |state| left.gather(state)).all_right(what);
    assert!(states >= at_least, "{what}: {states} states");
    let mut alone = locked::Alone {
        who: 0,
        beginnings: left,
    };
    for who in 0..locked::PROCESSES {
        alone.who = who;
        search(&alone, |_| {}).all_right(&format!("{what}, then one alone"));
    }
}

#[test]
fn three_starts_and_a_death_make_one_holder_at_a_time() {
    let protocol = Locked {
        processes: 3,
        kills: 1,
        ..LOCKED
    };
    assert_whole("three processes", 250_000, protocol);
    let keep = [true; locked::PROCESSES];
    let what = "three processes that keep the file";
    let kills = 0;
    let keeping = Locked {
        keep,
        kills,
        ..protocol
    };
    assert_whole(what, 50_000, keeping);
}

#[test]
fn deaths_while_somebody_looks_on_make_no_second_holder() {
    let protocol = Locked {
        kills: 2,
        onlooker: true,
        ..LOCKED
    };
    assert_whole("two processes and an onlooker", 20_000, protocol);
    let three = Locked {
        processes: 3,
        restarts: 0,
        ..protocol
    };
    assert_whole("three processes and an onlooker", 100_000, three);
}

#[test]
fn forked_children_that_share_the_lock_make_no_second_holder() {
    for (who, keep) in [
        ("nobody keeps", [false; locked::PROCESSES]),
        ("all keep", [true; locked::PROCESSES]),
        ("one keeps", [true, false, false]),
    ] {
        let protocol = Locked {
            kills: 1,
            forks: true,
            keep,
            ..LOCKED
        };
        let what = format!("two processes that fork, {who} the file");
        assert_whole(&what, 30_000, protocol);
    }
}

/// That is what Python's `pid` does, and why it can have two holders.
#[test]
fn without_the_second_look_there_are_two_holders() {
    let naive = Locked {
        second_look: [false; locked::PROCESSES],
        ..LOCKED
    };
    let trace = search(&naive, |_| {}).trace_to(TWO_HOLDERS, "no second look");
    let removed = trace.iter().position(|step| step.contains("remove_file"));
    let locked = trace.iter().rposition(|step| step.ends_with(": locked"));
    assert!(removed < locked, "a removed file was locked: {trace:?}");
}

/// Python's `pid` does that, too. Its file names it for as long as it can remove it, so who follows
/// looks at the path when it is gone.
#[test]
fn removal_after_unlocking_needs_the_look_at_the_path_to_come_last() {
    let careless = Locked {
        unlocks_first: true,
        ..LOCKED
    };
    let states = search(&careless, |_| {}).all_right("removal after unlocking");
    assert!(states >= 5_000, "{states} states");
    let early = Locked {
        looks_early: true,
        ..careless
    };
    let trace = search(&early, |_| {}).trace_to(TWO_HOLDERS, "and the look at the path too early");
    assert!(trace.iter().any(|step| step.contains("remove_file")));
}

/// A neighbour like `flock(1)`, which locks, looks no second time, and leaves the file where it is.
#[test]
fn beside_a_neighbour_that_looks_no_second_time_keeping_the_file_is_whole() {
    let neighbour = Locked {
        processes: 3,
        second_look: [false, true, true],
        keep: [true, false, false],
        ..LOCKED
    };
    search(&neighbour, |_| {}).trace_to(TWO_HOLDERS, "beside a neighbour");
    let keep = [true; locked::PROCESSES];
    let kills = 1;
    let kept = Locked {
        keep,
        kills,
        restarts: 0,
        ..neighbour
    };
    let states = search(&kept, |_| {}).all_right("beside a neighbour, the file kept");
    assert!(states >= 20_000, "{states} states");
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

fn assert_whole_without_locks(what: &str, at_least: usize, protocol: Unlocked) {
    let mut left = unlocked::Beginnings::new(protocol);
    let states = search(&protocol, |state| left.gather(state)).all_right(what);
    assert!(states >= at_least, "{what}: {states} states");
    let mut alone = unlocked::Alone {
        who: 0,
        beginnings: left,
    };
    for who in 0..unlocked::PROCESSES {
        alone.who = who;
        search(&alone, |_| {}).all_right(&format!("{what}, then one alone"));
    }
}

#[test]
fn without_locks_two_deaths_make_no_second_holder() {
    for keep in [false, true] {
        let protocol = Unlocked {
            kills: 2,
            restarts: 0,
            keep,
            ..UNLOCKED
        };
        let what = format!("three processes without locks, keep {keep}");
        assert_whole_without_locks(&what, 150_000, protocol);
    }
}

#[test]
fn without_locks_numbers_that_are_used_again_make_no_second_holder() {
    let protocol = Unlocked {
        processes: 2,
        kills: 2,
        ..UNLOCKED
    };
    assert_whole_without_locks("two processes without locks", 30_000, protocol);
}

#[test]
fn without_locks_each_check_is_needed() {
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
    for (what, protocol) in [
        ("no look at the name", without_look_at_name),
        ("no second look", without_second_look),
        ("no second name", without_second_name),
    ] {
        let trace = search(&protocol, |_| {}).trace_to(TWO_HOLDERS, what);
        let replaced = trace.iter().any(|step| step.ends_with(": rename"));
        assert!(replaced, "{what}: {trace:?}");
    }
}
