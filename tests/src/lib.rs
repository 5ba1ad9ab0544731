//! Support for the whole-process tests: helper programs controlled through pipes, and functions
//! that report skipped tests.

pub mod length;
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

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::pin::pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use pidlock_core::{PidFile, PidFileError};

/// A PID that no process has: Linux limits PIDs to 4,194,304 (proc_sys_kernel(5)).
pub const NONEXISTENT_PID: u32 = i32::MAX as u32;

/// The uid of an unprivileged user. Any other unprivileged uid would do.
pub const ORDINARY_UID: u32 = 65534;

/// Reports on stderr that a test was skipped, and why. Fails if `PIDLOCK_TESTS_STRICT` is set, as
/// in continuous integration.
///
/// # Panics
///
/// If `PIDLOCK_TESTS_STRICT` is set.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("PIDLOCK_TESTS_STRICT").is_none(),
        "this test must not be skipped: {why}"
    );
    note(why);
}

/// Reports that a test was skipped because the kernel lacks a feature. This is never a failure,
/// because no package can add the feature.
pub fn skip_for_this_kernel(why: &str) {
    note(why);
}

/// Reports that a test was skipped because it needs root, or because root cannot run it. This is
/// never a failure, because continuous integration runs the tests as root and as another user.
pub fn skip_for_this_user(why: &str) {
    note(why);
}

fn note(why: &str) {
    // The test harness captures the output of `println!` and `eprintln!`.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Returns `true` if the tests run as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns `true` if `PATH` contains a program with this name.
#[must_use]
pub fn has_tool(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

/// The contents of a stale pidfile.
#[must_use]
pub fn stale_record() -> String {
    format!("{NONEXISTENT_PID}\n")
}

/// The PID of a child that has exited.
///
/// # Panics
///
/// If the child cannot be started.
#[must_use]
pub fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().expect("start true");
    child.wait().expect("wait for true");
    child.id()
}

/// The contents of a file. Empty if the file cannot be read.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A child process with piped stdin and stdout. Dropping a `Program` kills the process.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts the program with piped stdin and stdout.
    ///
    /// # Panics
    ///
    /// If the program cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self {
            child,
            input,
            output,
        }
    }

    /// Waits for the next line of output. Returns an empty string at the end of the output.
    ///
    /// # Panics
    ///
    /// If the output cannot be read as text.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("read a line of output");
        line.trim_end().to_owned()
    }

    /// Waits for the next line of output and compares it with `expected`.
    ///
    /// # Panics
    ///
    /// If the line differs.
    pub fn expect(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// The PID of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes the program's stdin. Helper programs wait for that before they continue.
    pub fn go_on(&mut self) {
        self.input.take();
    }

    /// Writes a line to the program's stdin.
    ///
    /// # Panics
    ///
    /// If stdin is closed.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin is open");
        writeln!(input, "{line}").expect("write a line to stdin");
    }

    /// Kills the program with SIGKILL and waits for it.
    ///
    /// # Panics
    ///
    /// If the program cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill the program");
        self.child.wait().expect("wait for the program");
    }

    /// Waits until the program exits.
    ///
    /// # Panics
    ///
    /// If waiting fails.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("wait for the program")
    }

    /// Closes the program's stdin and waits until the program exits. Returns its exit status and
    /// the rest of its output.
    ///
    /// # Panics
    ///
    /// If the output cannot be read as text, or if waiting fails.
    pub fn finish(&mut self) -> (ExitStatus, String) {
        self.go_on();
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .expect("read the rest of the output");
        (self.wait(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Locks a file that each holder of a pidfile locks, which shows another holder.
///
/// # Panics
///
/// If there is another holder.
#[must_use]
pub fn only_holder(oracle: &Path) -> std::fs::File {
    let file = std::fs::File::create(oracle).expect("create the oracle");
    let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(&file, lock).expect("no other process holds the pidfile");
    file
}

/// Returns the command of an example that uses `dir` as the temporary directory.
///
/// # Panics
///
/// If the example is not built.
#[must_use]
pub fn example(name: &str, dir: &Path) -> Command {
    // Cargo gives tests the paths of binaries, but not of examples. Their directory is next to that
    // of the test.
    let here = std::env::current_exe().expect("get the path of this test");
    let path = here
        .ancestors()
        .nth(2)
        .expect("the test is in a build directory")
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --examples`",
        path.display()
    );
    let mut command = Command::new(path);
    command.env("TMPDIR", dir);
    command
}

/// Polls a future on this thread until it completes, and parks the thread in between.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = waker_of_this_thread();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Returns a waker that unparks the calling thread.
#[must_use]
pub fn waker_of_this_thread() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Arc::new(Unpark(thread::current())).into()
}

/// Runs a program and waits until it exits.
///
/// # Panics
///
/// If the program cannot be started.
#[must_use]
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The stdout of a program, followed by its stderr.
#[must_use]
pub fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]]
        .map(String::from_utf8_lossy)
        .concat()
}

/// Asserts that a start is refused because the recorded process runs but does not hold the lock.
/// The error message must say what to do, and the file must not change.
///
/// # Panics
///
/// If the start is not refused in this way, or if it changes the file.
pub fn assert_running(path: &Path, pid: u32) {
    let before = text(path);
    let error = PidFile::at(path)
        .acquire()
        .expect_err("the recorded process runs");
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

/// Compiles and runs the examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
