//! Between any two system calls of a start, a holder that has not locked its file removes the file
//! and exits. Python's `pid` is such a holder at exit, because it releases the lock before it
//! removes the file.

use std::fs;
use std::process::{Child, Command, Stdio};

use pidlock_tests::tally::Figures;

use super::cases::{Case, Initial};
use super::lives::{live, sum};
use super::runs::Moment;

/// Removes the holder's file and kills the holder before the call with this number. Returns `true`
/// if the start then acquires the file; `None` if the start is over before that call.
fn depart(case: Case, number: usize) -> Option<bool> {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut holder = Holder::start();
    fs::write(&path, format!("{}\n", holder.0.id())).expect("write the record of the holder");
    let before = |moment| matches!(moment, Moment::Before(_));
    let life = live(case, &path, number, before, |_| {
        fs::remove_file(&path).expect("remove the file of the holder");
        holder.end();
        true
    })?;
    Some(life.was_inside(case, number))
}

/// A process that does nothing until it is killed.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("start cat"))
    }

    fn end(&mut self) {
        self.0.kill().expect("kill the holder");
        self.0.wait().expect("wait for the holder");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn start_during_which_the_holder_removes_its_file_gets_a_file_of_its_own() {
    // The start polls the holder in identical rounds, so a few rounds are enough.
    const CALLS: usize = 30;
    let mut figures = Figures::default();
    for arguments in ["close", "close --keep", "reserve", "close --no-lock"] {
        let case = Case {
            initial: Initial::Held,
            arguments,
        };
        figures += sum(case, (0..CALLS).map_while(|number| depart(case, number)));
    }
    figures.record("departures without a lock");
    println!("{figures}");
}
