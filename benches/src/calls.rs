//! The system calls of an operation, as strace sees them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::operation::Operation;
use crate::{marks, place, python};

/// Whether strace is there and may trace.
#[must_use]
pub fn can_trace() -> bool {
    Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The calls of a contender's operation, the second one in its process.
#[must_use]
pub fn of_contender(key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let mut command = strace();
    command.arg(place::built().join("rival")).arg(key);
    traced(&mut command, operation, path)
}

/// The same as user `daemon`, for root. The path's directory is opened to all.
///
/// # Panics
///
/// If it cannot be.
#[must_use]
pub fn of_contender_as_daemon(key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let directory = path.parent().expect("a file is in a directory");
    let everybody = Permissions::from_mode(0o777);
    fs::set_permissions(directory, everybody).expect("it is ours");
    // Where it was built, only root may be able to go.
    let program = directory.join("rival");
    fs::copy(place::built().join("rival"), &program).expect("it was built");
    let mut command = strace();
    command.args(["-u", "daemon"]).arg(program).arg(key);
    traced(&mut command, operation, path)
}

/// The same of a Python module.
#[must_use]
pub fn of_module(interpreter: &Path, key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let mut command = strace();
    let script = python::folder().join("operations.py");
    command.arg(interpreter).arg(script).arg(key);
    traced(&mut command, operation, path)
}

/// Its log goes to where its own output would: the programs say nothing.
fn strace() -> Command {
    let mut command = Command::new("strace");
    command.args(["-qq", "-s", "4096", "-o", "/dev/stdout"]);
    command
}

fn traced(command: &mut Command, operation: Operation, path: &Path) -> Vec<String> {
    let output = command
        .args(["once", operation.name()])
        .arg(path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("strace runs");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let log = String::from_utf8_lossy(&output.stdout);
    let mut calls: Vec<String> = log
        .lines()
        .skip_while(|line| !is_mark(line, marks::BEGIN))
        .skip(1)
        .take_while(|line| !is_mark(line, marks::END))
        .filter(|line| !is_disposition_query(line))
        .map(named)
        .collect();
    // The kernel's list of locks is as long as the machine is busy.
    calls.dedup_by(|call, before| call == "read" && before == "read");
    assert!(!calls.is_empty(), "{command:?}: nothing between the marks");
    calls
}

/// Whether a line is about one of the calls between which the operation is.
fn is_mark(line: &str, mark: &str) -> bool {
    // Not whatever reads or writes the program's own text.
    (line.starts_with("access(") || line.starts_with("faccessat")) && line.contains(mark)
}

/// Returns `true` for a call that only reads the disposition of a signal. Each acquire checks three
/// signals, because the program may have changed them since the last one. These calls touch no file
/// and wait for nothing, and how many there are depends on the number of signals, not on the
/// protocol.
fn is_disposition_query(line: &str) -> bool {
    let arguments = line.strip_prefix("rt_sigaction(");
    arguments.is_some_and(|arguments| arguments.split(", ").nth(1) == Some("NULL"))
}

/// What a line of the log is about, whichever of the calls for it the library prefers.
fn named(line: &str) -> String {
    let (call, arguments) = line.split_once('(').unwrap_or((line, ""));
    match call {
        "open" => "openat",
        // Of the descriptor itself, or of a path.
        "statx" | "newfstatat" if arguments.contains("\"\"") => "fstat",
        "statx" | "newfstatat" if arguments.contains("AT_SYMLINK_NOFOLLOW") => "lstat",
        "statx" | "newfstatat" => "stat",
        "unlinkat" => "unlink",
        other => other,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::{is_disposition_query, named};

    #[test]
    fn disposition_queries_are_told_from_changes() {
        let query = "rt_sigaction(SIGTERM, NULL, {sa_handler=SIG_DFL, sa_mask=[]}, 8) = 0";
        let change = "rt_sigaction(SIGTERM, {sa_handler=0x1, sa_mask=[]}, NULL, 8) = 0";
        assert!(is_disposition_query(query));
        assert!(!is_disposition_query(change));
        assert!(!is_disposition_query("close(3) = 0"));
    }

    #[test]
    fn one_name_for_one_thing() {
        for (line, name) in [
            (
                r#"statx(3, "", AT_STATX_SYNC_AS_STAT|AT_EMPTY_PATH, STATX_ALL, {..}) = 0"#,
                "fstat",
            ),
            (
                r#"newfstatat(AT_FDCWD, "/a", {..}, AT_SYMLINK_NOFOLLOW) = 0"#,
                "lstat",
            ),
            (r#"stat("/a", {..}) = 0"#, "stat"),
            (r#"pwrite64(3, "1\n", 2, 0) = 2"#, "pwrite64"),
        ] {
            assert_eq!(named(line), name);
        }
    }
}
