//! A process that holds the file by its number alone, without a lock, removes it and ends, between any
//! two calls of a start. Python's `pid` does so at its end, when it has given its lock back.

use std::fs;
use std::process::{Child, Command, Stdio};

use pidlock_tests::tally::Figures;

use super::cases::{Case, There};
use super::lives::{live, sum};
use super::runs::Moment;

/// It does so before the call with this number. Whether the start is in after that; `None` if it does
/// not come to that.
fn depart(case: Case, number: usize) -> Option<bool> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut holder = Holder::start();
    fs::write(&path, format!("{}\n", holder.0.id())).expect("its file");
    let before = |moment| matches!(moment, Moment::Before(_));
    let life = live(case, &path, number, before, |_| {
        fs::remove_file(&path).expect("its file is there");
        holder.end();
        true
    })?;
    Some(life.was_inside(case, number))
}

/// A process that does nothing, until it is told to end.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("cat starts"))
    }

    fn end(&mut self) {
        self.0.kill().expect("it is there");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn start_during_late_unlink_gets_own_file() {
    // Some rounds of waiting for its end are as good as all.
    const CALLS: usize = 30;
    let mut figures = Figures::default();
    for arguments in ["close", "close --keep", "reserve", "close --no-lock"] {
        let case = Case {
            there: There::Held,
            arguments,
        };
        figures += sum(case, (0..CALLS).map_while(|number| depart(case, number)));
    }
    figures.record("departures without a lock");
    println!("{figures}");
}
