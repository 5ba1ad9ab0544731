//! The system calls of each operation, recorded by strace, are those in budgets.toml. They do not
//! depend on the machine or its load.

use std::collections::HashMap;

use pidlock_benches::calls;
use pidlock_benches::contenders::FLOOR;
use pidlock_benches::holder::Holder;
use pidlock_benches::operation::Operation;
use pidlock_benches::place::Place;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    most: usize,
    calls: Vec<(String, String)>,
}

impl Budget {
    fn of(operation: Operation) -> Self {
        let text = include_str!("../budgets.toml");
        let mut all: HashMap<String, Self> =
            toml::from_str(text).expect("budgets.toml is well-formed");
        all.remove(operation.name())
            .expect("every operation has a budget")
    }

    fn check(&self, calls: &[String], what: &str) {
        let listed: Vec<&str> = self.calls.iter().map(|(call, _)| call.as_str()).collect();
        assert_eq!(calls, listed, "{what} differs from budgets.toml");
        let (count, most) = (calls.len(), self.most);
        assert!(
            count <= most,
            "{what}: {count} system calls, at most {most}"
        );
    }
}

/// Returns the calls of a contender, and starts a holder if the operation needs one.
fn calls_of(key: &str, operation: Operation) -> Vec<String> {
    let place = Place::memory();
    let path = place.path().join("app.pid");
    let _holder = operation.is_held().then(|| Holder::contender(key, &path));
    calls::of_contender(key, operation, &path)
}

fn check(operation: Operation) {
    let (floor, ours) = (calls_of(FLOOR, operation), calls_of("ours", operation));
    let budget = Budget::of(operation);
    println!(
        "{}: {} system calls, at most {}, floor {}",
        operation.name(),
        ours.len(),
        budget.most,
        floor.len()
    );
    budget.check(&ours, operation.name());
}

/// Checks the calls of a process of an ordinary user against the same list.
fn check_as_daemon(operation: Operation) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let place = Place::memory();
    let ours = calls::of_contender_as_daemon("ours", operation, &place.path().join("app.pid"));
    let what = format!("{} as daemon", operation.name());
    Budget::of(operation).check(&ours, &what);
}

#[test]
fn fresh_start_stays_within_its_budget() {
    check(Operation::Fresh);
}

#[test]
fn stale_start_stays_within_its_budget() {
    check(Operation::Stale);
}

#[test]
fn fresh_start_of_an_ordinary_user_stays_within_its_budget() {
    check_as_daemon(Operation::Fresh);
}

#[test]
fn stale_start_of_an_ordinary_user_stays_within_its_budget() {
    check_as_daemon(Operation::Stale);
}

#[test]
fn refused_start_stays_within_its_budget() {
    check(Operation::Contended);
}

#[test]
fn status_stays_within_its_budget() {
    check(Operation::Status);
}
