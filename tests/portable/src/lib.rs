//! Support for the tests that run on every platform: on the machine's own by `cargo test`, on Windows by
//! `.ci/wine`. Uses nothing but std and pidlock-core; on Windows also windows-sys.

#[cfg(windows)]
mod access;
#[cfg(windows)]
mod library;

#[cfg(windows)]
pub use access::{deny_access, lock_whole};

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What Wine 8 cannot show, and why. The tests and parts of tests named here run on Windows only.
///
/// These have no test at all:
///
/// - A closed console: under Wine 8 a console has no window without a display. The default handler is that of
///   Ctrl-C, which the test of a library sends.
/// - A stale file without a lock that this user may not replace: all files under Wine are of one user.
/// - A file system without locks: Wine has locks of its own.
/// - That Windows may release a lock some time after the close, for which a lock is released explicitly before:
///   Wine releases it at once.
/// - That a lock on the text keeps others from reading the PID: locks are advisory under Wine.
/// - That `OpenProcess` takes the three numbers after a PID for it, too: Wine does not.
/// - A library that is unloaded while its program goes on: `rundll32` ends right after that.
/// - A file that is removed while it is open, at once (POSIX deletion), which Wine does not do.
const NOT_UNDER_WINE: &[(&str, &str)] = &[
    (
        "exit of a program",
        "Wine 8 tells libraries that the process ends, but not the program; a library is tested instead",
    ),
    (
        "mark of a locked file",
        "Wine 8 does not keep the attribute",
    ),
    ("link to nothing", "Wine 8 has no symbolic links"),
    (
        "junction",
        "Wine 8 has no reparse points; a unit test covers how they are told from files",
    ),
    ("Ctrl-Break", "Wine 8 can send Ctrl-C only"),
    (
        "file about to be removed",
        "Wine 8 opens it; a unit test covers how it is told from a lack of permission",
    ),
];

/// Returns `true` if the tests run under Wine. Then prints why `what` cannot be tested there.
///
/// # Panics
///
/// If `what` is not in the list.
#[must_use]
pub fn is_beyond_wine(what: &str) -> bool {
    let (_, why) = NOT_UNDER_WINE
        .iter()
        .find(|(name, _)| *name == what)
        .expect("the list names what Wine cannot show");
    if is_wine() {
        // The test harness captures the output of `println!` and `eprintln!`.
        let _ = writeln!(std::io::stderr(), "not under Wine: {what}: {why}");
    }
    is_wine()
}

/// Returns `true` if the tests run under Wine.
#[must_use]
pub fn is_wine() -> bool {
    std::env::var_os("WINEPREFIX").is_some()
}

/// A PID that no process has: Linux limits PIDs to 4,194,304, and PIDs on Windows are divisible by 4.
pub const NONEXISTENT_PID: u32 = i32::MAX as u32;

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Creates an empty directory.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "creates something")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pidlock-portable-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path); // left by a killed process with this PID
        fs::create_dir_all(&path).expect("create a directory");
        Self(path)
    }

    /// The path of a file in the directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program of this package. On another machine than the one that built it, it lies beside the test.
///
/// # Panics
///
/// If the test does not know its own path.
#[must_use]
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().expect("find the test");
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    // Cargo builds tests into `deps`, and programs into the directory above.
    let beside = test.with_file_name(&file);
    let above = test
        .parent()
        .and_then(Path::parent)
        .map(|dir| dir.join(&file));
    let path = above.filter(|path| path.exists()).unwrap_or(beside);
    // An emulator with its options, for programs that this machine cannot run by itself.
    let Ok(runner) = std::env::var("PIDLOCK_TESTS_RUNNER") else {
        return Command::new(path);
    };
    let mut words = runner.split(' ');
    let mut command = Command::new(words.next().expect("the runner has a name"));
    command.args(words).arg(path);
    command
}

/// Starts the program `portable_holder` for a file. The options are those of the program.
#[must_use]
pub fn holder(path: &Path, options: &[&str]) -> Command {
    let mut command = program("portable_holder");
    command.arg(path).args(options);
    command
}

/// The options of `portable_holder` for each protocol: with a lock, and without. Only the first where
/// `PIDLOCK_TESTS_LOCKS_ONLY` says that the file system has no hard links.
#[must_use]
pub fn protocols() -> &'static [&'static [&'static str]] {
    const ALL: &[&[&str]] = &[&[], &["unlocked"]];
    match std::env::var_os("PIDLOCK_TESTS_LOCKS_ONLY") {
        Some(_) => &ALL[..1],
        None => ALL,
    }
}

/// The PID of a holder as others read it in the file. `None` where `PIDLOCK_TESTS_PID_IS_HIDDEN` says that a locked file
/// cannot be read, as on CIFS.
#[must_use]
pub fn visible(pid: u32) -> Option<u32> {
    let is_hidden = std::env::var_os("PIDLOCK_TESTS_PID_IS_HIDDEN").is_some();
    (!is_hidden).then_some(pid)
}

/// A program that holds a file until its input ends, and is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
}

impl Running {
    /// Starts the program, and waits until it holds the file.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut running = Self {
            child: start(command.stdin(Stdio::piped()).stdout(Stdio::piped())),
        };
        let stdout = running.child.stdout.as_mut().expect("its output is piped");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("read the first line");
        assert_eq!(line.trim_end(), format!("inside {}", running.pid()));
        running
    }

    /// The PID of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets the program end in its way. Returns its exit status.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    pub fn end(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().expect("wait for the program").code()
    }

    /// Kills the program, by SIGKILL or by `TerminateProcess`, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill the program");
        self.child.wait().expect("wait for the program");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end, without input.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn run(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = start(command);
    child.wait_with_output().expect("run the program")
}

/// Starts a program.
///
/// # Panics
///
/// If that fails.
#[must_use]
pub fn start(command: &mut Command) -> Child {
    /// When several threads start programs, one start in some hundreds fails under Wine 8, before the
    /// program runs.
    const INTERNAL_ERROR: i32 = 1359;
    let mut attempts = (0..5).map(|_| command.spawn());
    let started = attempts.find(|started| {
        let error = started
            .as_ref()
            .err()
            .and_then(|error| error.raw_os_error());
        !cfg!(windows) || error != Some(INTERNAL_ERROR)
    });
    let child = started.expect("Wine starts the program");
    child.expect("start the program")
}

/// What a program has printed to stderr.
#[must_use]
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .trim_end()
        .to_owned()
}

/// For the programs: prints that this process holds the file, and waits until its input ends.
///
/// # Panics
///
/// If the output is closed.
pub fn stay_inside() {
    let mut out = std::io::stdout();
    writeln!(out, "inside {}", std::process::id()).expect("print a line");
    out.flush().expect("print a line");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
