//! Other programs that lock or read the pidfile, each both ways: those that come with the system,
//! Python's `pid` and `filelock`, and libbsd.

mod commands;
mod daemons;
mod filelock;
mod libbsd;
mod python_pid;
mod release;

use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use pidlock_tests::Program;

fn holder(path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    let mut program = Program::start(command.arg("--at").arg(path));
    program.expect(&format!("held {}", path.display()));
    program
}

/// A text for a program to read.
fn input(text: &str) -> Stdio {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("a text");
    file.rewind().expect("its beginning");
    file.into()
}
