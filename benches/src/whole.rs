//! Whole processes, from the start to the end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::comparison::Cost;
use crate::place::{self, Place};
use crate::{python, rounds};

/// What is run, and its name in tables; the base first.
const PROGRAMS: &[(&str, Program)] = &[
    ("hello, bare", Program::Ours("hello")),
    ("floor around `main`", Program::Ours("floored")),
    ("**`#[pidfile]` on `main`**", Program::Ours("annotated")),
    ("Python, bare", Program::Python("bare.py")),
    ("Python's `@pidfile()`", Program::Python("decorated.py")),
];

#[derive(Debug, Clone, Copy)]
enum Program {
    Ours(&'static str),
    Python(&'static str),
}

impl Program {
    fn command(self, interpreter: &Path, path: &Path) -> Command {
        let mut command = match self {
            Self::Ours(name) => Command::new(place::built().join(name)),
            Self::Python(script) => {
                let mut command = Command::new(interpreter);
                command.arg(python::folder().join(script));
                command
            }
        };
        command.arg(path).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// What each takes: its name, and beside the bare one.
///
/// # Panics
///
/// If one does not succeed.
#[must_use]
pub fn compare(place: &Place, interpreter: &Path, rounds: usize) -> Vec<(&'static str, Cost)> {
    let path = place.path().join("whole.pid");
    let samples = rounds::in_turns(PROGRAMS.len(), rounds, |turn| {
        let mut command = PROGRAMS[turn].1.command(interpreter, &path);
        let start = Instant::now();
        // posix_spawn(3) where there is nothing to do in between, as here.
        let status = command.status().expect("it starts");
        let time = start.elapsed();
        assert!(status.success(), "{command:?}: {status}");
        time
    });
    let cost = |index: usize| Cost {
        time: samples[index].median(),
        ratio: samples[index].ratio(&samples[0]),
    };
    PROGRAMS
        .iter()
        .enumerate()
        .map(|(index, &(name, _))| (name, cost(index)))
        .collect()
}
