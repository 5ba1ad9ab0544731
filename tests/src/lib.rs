//! What the whole-process tests share: programs that are spoken to over pipes, and the answer to
//! "can this be tested here?".

pub mod protected_files;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod ptrace;
pub mod python;
pub mod rerun_in_namespace;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub mod seccomp;
pub mod spawner;
pub mod tally;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};

use pidlock_core::{PidFile, PidFileError};

/// A number that no process ever has: Linux gives at most 4,194,304 (proc_sys_kernel(5)).
pub const NONEXISTENT_PID: u32 = i32::MAX as u32;

/// The `nobody` of Debian and most others; any unprivileged user would do.
pub const ORDINARY_UID: u32 = 65534;

/// Says in one line that a test could not run here, and why. Where `PIDLOCK_TESTS_STRICT` is set,
/// as in continuous integration, that is a failure.
///
/// # Panics
///
/// Where `PIDLOCK_TESTS_STRICT` is set.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("PIDLOCK_TESTS_STRICT").is_none(),
        "must not be skipped: {why}"
    );
    note(why);
}

/// For what the kernel was built without, which no package can add.
pub fn skip_for_this_kernel(why: &str) {
    note(why);
}

/// For what only root can test, or only an ordinary user: continuous integration runs as both.
pub fn skip_for_this_user(why: &str) {
    note(why);
}

fn note(why: &str) {
    // Not println: the test harness would swallow it.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Whether the tests run as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program is there to be run.
#[must_use]
pub fn has_tool(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

/// The text of a stale record.
#[must_use]
pub fn stale_record() -> String {
    format!("{NONEXISTENT_PID}\n")
}

/// A process of a dead child: a number that was in use.
///
/// # Panics
///
/// If no process can be started.
#[must_use]
pub fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().expect("true starts");
    child.wait().expect("true ends");
    child.id()
}

/// What a file holds; empty if it is not there.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A program that says what it is doing, line by line, and does the next thing when it is told to
/// by the end of its input. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it with its input and output piped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self {
            child,
            input,
            output,
        }
    }

    /// Waits for its next line; empty at its end.
    ///
    /// # Panics
    ///
    /// If its output cannot be read.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("its output is text");
        line.trim_end().to_owned()
    }

    /// Waits for a line and checks it.
    ///
    /// # Panics
    ///
    /// If it says something else.
    pub fn expect(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to go on, by ending its input.
    pub fn go_on(&mut self) {
        self.input.take();
    }

    /// Writes a line to its input.
    ///
    /// # Panics
    ///
    /// If it does not read it.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input has not ended");
        writeln!(input, "{line}").expect("it reads its input");
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }

    /// Tells it to go on, and waits for its end: its status and what else it said.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    pub fn finish(&mut self) -> (ExitStatus, String) {
        self.go_on();
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .expect("its output is text");
        (self.wait(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What a program said, both ways, in one text.
#[must_use]
pub fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]]
        .map(String::from_utf8_lossy)
        .concat()
}

/// Asserts that a start is refused for a process that runs but does not lock, with a message that says
/// what to do.
///
/// # Panics
///
/// If it is not.
pub fn assert_running(path: &Path, pid: u32) {
    let before = text(path);
    let error = PidFile::at(path).acquire().expect_err("the process runs");
    assert!(
        matches!(error, PidFileError::AlreadyRunning { pid: found, .. } if found == pid),
        "{error}"
    );
    let message = format!(
        "pidfile '{}': process {pid} is running but does not hold the lock; if it is a different \
         program, remove the file",
        path.display()
    );
    assert_eq!(error.to_string(), message);
    assert_eq!(text(path), before, "a refused start changes nothing");
}

/// The code in README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
