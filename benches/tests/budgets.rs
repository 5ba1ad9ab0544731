//! What each operation costs stays within budgets.toml: in system calls, counted by strace, and in
//! instructions, counted by callgrind. Both are needed here; the counts are the same on every
//! machine and however busy it is. Optimised, as it would be shipped.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use pidlock_benches::calls;
use pidlock_benches::contenders::FLOOR;
use pidlock_benches::holder::Holder;
use pidlock_benches::operation::Operation;
use pidlock_benches::place::{self, Place};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    floor_and: Option<usize>,
    most_calls: Option<usize>,
    most_of_floor: f64,
    // For the test of allocations.
    #[serde(rename = "most_allocations")]
    _most_allocations: usize,
    calls: Vec<(String, String)>,
}

fn budget(operation: Operation) -> Budget {
    let text = include_str!("../budgets.toml");
    let mut all: HashMap<String, Budget> =
        toml::from_str(text).expect("budgets.toml is well-formed");
    all.remove(operation.name())
        .expect("every operation has a budget")
}

/// Hands a function the path of a pidfile, which somebody holds if the operation wants it.
fn with_path<T>(key: &str, operation: Operation, run: impl FnOnce(&Path) -> T) -> T {
    let place = Place::memory();
    let path = place.path().join("app.pid");
    let _holder = operation.is_held().then(|| Holder::contender(key, &path));
    run(&path)
}

fn system_calls(operation: Operation) {
    let count = |key| {
        with_path(key, operation, |path| {
            calls::of_contender(key, operation, path)
        })
    };
    let (floor, ours) = (count(FLOOR).len(), count("ours"));
    let budget = budget(operation);
    let most = match (budget.most_calls, budget.floor_and) {
        (Some(most), None) => most,
        (None, Some(more)) => floor + more,
        _ => panic!("one of most_calls and floor_and"),
    };
    println!(
        "{}: {} system calls, floor {floor}, at most {most}",
        operation.name(),
        ours.len()
    );
    let listed: Vec<&str> = budget.calls.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(
        ours,
        listed,
        "{} is not what budgets.toml lists",
        operation.name()
    );
    assert!(
        ours.len() <= most,
        "{} system calls, at most {most}: {ours:?}",
        ours.len()
    );
}

/// Without root's rights there is more to be asked, but not each time.
fn system_calls_of_daemon(operation: Operation) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: the other tests are run by an ordinary user");
        return;
    }
    let place = Place::memory();
    let ours = calls::of_contender_as_daemon("ours", operation, &place.path().join("app.pid"));
    let listed = budget(operation).calls;
    let listed: Vec<&str> = listed.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(ours, listed, "{} as daemon", operation.name());
}

/// Instructions in user space that one operation takes.
fn count_instructions(key: &str, operation: Operation) -> f64 {
    const TIMES: u32 = 100;
    with_path(key, operation, |path| {
        let log = path.with_extension("callgrind");
        // The size of the environment moves the stack, which shows in the count.
        let output = Command::new("valgrind")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .args(["--tool=callgrind", "--toggle-collect=rival::measured"])
            .arg(format!("--callgrind-out-file={}", log.display()))
            .arg(place::built().join("rival"))
            .args([key, "many", &TIMES.to_string(), operation.name()])
            .arg(path)
            .output()
            .expect("valgrind runs");
        assert!(output.status.success(), "{output:?}");
        let log = std::fs::read_to_string(log).expect("callgrind writes");
        let total = log
            .lines()
            .find_map(|line| line.strip_prefix("summary: "))
            .and_then(|number| number.parse::<f64>().ok())
            .expect("callgrind counts");
        assert!(total > 0.0, "nothing counted");
        total / f64::from(TIMES)
    })
}

fn instructions(operation: Operation) {
    let (floor, ours) = (
        count_instructions(FLOOR, operation),
        count_instructions("ours", operation),
    );
    let (ratio, most) = (ours / floor, budget(operation).most_of_floor);
    println!(
        "{}: {ours:.0} instructions, floor {floor:.0}: {ratio:.2}x, at most {most}x",
        operation.name()
    );
    assert!(
        ratio <= most,
        "{ratio:.2} times the floor's instructions, at most {most}"
    );
}

#[test]
fn system_calls_fresh() {
    system_calls(Operation::Fresh);
}

#[test]
fn system_calls_stale() {
    system_calls(Operation::Stale);
}

#[test]
fn system_calls_fresh_of_an_ordinary_user() {
    system_calls_of_daemon(Operation::Fresh);
}

#[test]
fn system_calls_stale_of_an_ordinary_user() {
    system_calls_of_daemon(Operation::Stale);
}

#[test]
fn system_calls_contended() {
    system_calls(Operation::Contended);
}

#[test]
fn system_calls_status() {
    system_calls(Operation::Status);
}

#[test]
fn instructions_fresh() {
    instructions(Operation::Fresh);
}

#[test]
fn instructions_stale() {
    instructions(Operation::Stale);
}

#[test]
fn instructions_contended() {
    instructions(Operation::Contended);
}

#[test]
fn instructions_status() {
    instructions(Operation::Status);
}
