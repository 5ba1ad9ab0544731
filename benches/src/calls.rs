//! Records the system calls of an operation with strace.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::operation::Operation;
use crate::{marks, place, python};

/// Returns `true` if strace is installed and has permission to trace.
#[must_use]
pub fn can_trace() -> bool {
    Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns the system calls of a contender's operation, recorded when a process runs the operation
/// for the second time.
#[must_use]
pub fn of_contender(key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let mut command = strace();
    command.arg(place::built().join("rival")).arg(key);
    traced(&mut command, operation, path)
}

/// Returns the system calls of a contender's operation in a process of user `daemon`.
///
/// The caller must be root. All users get write access to the directory of the path.
///
/// # Panics
///
/// If the mode of the directory cannot be changed, or the program cannot be copied into it.
#[must_use]
pub fn of_contender_as_daemon(key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let directory = path.parent().expect("the path has a parent");
    let everybody = Permissions::from_mode(0o777);
    fs::set_permissions(directory, everybody).expect("make the directory writable");
    // User `daemon` possibly cannot search the directory of the build, so copy the program.
    let program = directory.join("rival");
    fs::copy(place::built().join("rival"), &program).expect("copy the program");
    let mut command = strace();
    command.args(["-u", "daemon"]).arg(program).arg(key);
    traced(&mut command, operation, path)
}

/// Returns the system calls of a Python module's operation.
#[must_use]
pub fn of_module(interpreter: &Path, key: &str, operation: Operation, path: &Path) -> Vec<String> {
    let mut command = strace();
    let script = python::folder().join("operations.py");
    command.arg(interpreter).arg(script).arg(key);
    traced(&mut command, operation, path)
}

/// Returns a strace command that logs to stdout. The traced programs print nothing.
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
        .expect("run strace");
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
    // How many reads /proc/locks takes depends on the locks of other processes, so consecutive
    // reads count once.
    calls.dedup_by(|call, before| call == "read" && before == "read");
    assert!(
        !calls.is_empty(),
        "{command:?}: no system calls between the marks"
    );
    calls
}

/// Returns `true` if the line shows the system call that makes this mark.
fn is_mark(line: &str, mark: &str) -> bool {
    // Other calls can contain the text of a mark, for example a read of the program.
    (line.starts_with("access(") || line.starts_with("faccessat")) && line.contains(mark)
}

/// Returns `true` if the line shows a call that only reads the disposition of a signal.
///
/// Each acquire reads the dispositions of three signals, because the program can change them at any
/// time. These calls touch no file and do not block, and their number does not depend on the
/// protocol.
fn is_disposition_query(line: &str) -> bool {
    let arguments = line.strip_prefix("rt_sigaction(");
    arguments.is_some_and(|arguments| arguments.split(", ").nth(1) == Some("NULL"))
}

/// Returns the name of the call that a line shows. Equivalent calls get one name, because the C
/// library chooses between them.
fn named(line: &str) -> String {
    let (call, arguments) = line.split_once('(').unwrap_or((line, ""));
    match call {
        "open" => "openat",
        // An empty path means the descriptor itself.
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
    fn disposition_query_is_distinguished_from_change() {
        let query = "rt_sigaction(SIGTERM, NULL, {sa_handler=SIG_DFL, sa_mask=[]}, 8) = 0";
        let change = "rt_sigaction(SIGTERM, {sa_handler=0x1, sa_mask=[]}, NULL, 8) = 0";
        assert!(is_disposition_query(query));
        assert!(!is_disposition_query(change));
        assert!(!is_disposition_query("close(3) = 0"));
    }

    #[test]
    fn equivalent_calls_get_one_name() {
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
