//! Other programs that lock or read the pidfile: system tools, Python's `pid` and `filelock`, and
//! libbsd. The tests run them while pidlock holds the file, and start pidlock while they use it.

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

/// Returns a standard input from which a program reads this text.
fn input(text: &str) -> Stdio {
    let mut file = tempfile::tempfile().expect("create a file");
    file.write_all(text.as_bytes()).expect("write the text");
    file.rewind().expect("rewind the file");
    file.into()
}
