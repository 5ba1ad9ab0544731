//! Measures whole processes, from start to exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::comparison::Cost;
use crate::place::{self, Place};
use crate::{python, rounds};

/// The base of the ratios.
const BASE: (&str, Program) = ("hello, bare", Program::Ours("hello"));

/// The Rust programs, with their names in tables.
const OURS: &[(&str, Program)] = &[
    BASE,
    ("floor around `main`", Program::Ours("floored")),
    ("**`#[pidfile]` on `main`**", Program::Ours("annotated")),
];

/// The Python programs, with their names in tables.
///
/// They run in separate rounds, because they leave cold caches for the next program.
const PYTHON: &[(&str, Program)] = &[
    BASE,
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

/// Measures each program, and returns its name and its cost relative to the bare program.
///
/// # Panics
///
/// If a program fails.
#[must_use]
pub fn compare(place: &Place, interpreter: &Path) -> Vec<(&'static str, Cost)> {
    let path = place.path().join("whole.pid");
    let mut costs = in_turns(OURS, 1000, interpreter, &path);
    costs.extend(in_turns(PYTHON, 60, interpreter, &path).into_iter().skip(1));
    costs
}

fn in_turns(
    programs: &[(&'static str, Program)],
    rounds: usize,
    interpreter: &Path,
    path: &Path,
) -> Vec<(&'static str, Cost)> {
    let samples = rounds::in_turns(programs.len(), rounds, |turn| {
        let mut command = programs[turn].1.command(interpreter, path);
        let start = Instant::now();
        // std starts such a command with posix_spawn(3), which copies no memory of this process.
        let status = command.status().expect("start the program");
        let time = start.elapsed();
        assert!(status.success(), "{command:?}: {status}");
        time
    });
    let names = programs.iter().map(|&(name, _)| name);
    let costs = samples.iter().map(|own| Cost {
        time: own.median(),
        ratio: own.ratio(&samples[0]),
    });
    names.zip(costs).collect()
}
