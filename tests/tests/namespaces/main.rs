//! Processes that see each other's PIDs, clocks and users differently, or not at all.

mod clocks;
mod containers;
mod numbers;
mod users;
mod zombies;

use std::path::Path;
use std::process::Command;

use pidlock_tests::{Program, is_root};

/// Flags for `unshare`. An ordinary user first has to become root of a user namespace.
fn flags<'a>(own: &[&'a str]) -> Vec<&'a str> {
    let user: &[&str] = match is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    [user, own].concat()
}

fn holder(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.arg("--at").arg(path);
    command
}

/// Starts a holder in the namespaces that `unshare` creates with these flags. The holder is killed
/// with `unshare`.
fn holder_within(flags: &[&str], path: &Path, arguments: &[&str]) -> Program {
    let mut unshare = Command::new("unshare");
    unshare.args(flags).args(["--fork", "--kill-child"]);
    unshare
        .arg(env!("CARGO_BIN_EXE_holder"))
        .arg("--at")
        .arg(path);
    Program::start(unshare.args(arguments))
}

fn assert_held(program: &mut Program) {
    let line = program.line();
    assert!(line.starts_with("held "), "{line}");
}

fn assert_refused(program: &mut Program, words: &str) {
    let line = program.line();
    assert!(
        line.starts_with("refused: ") && line.contains(words),
        "{line}"
    );
}
