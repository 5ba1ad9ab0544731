//! Every way for a holder to end: its exit status, the state of the pidfile afterwards, and the
//! success of the next start. The holders are the programs `terminate` and `signal_midway`.

mod children;
mod endings;
mod handlers;
mod midway;
mod privileges;
mod reservations;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use std::os::unix::process::ExitStatusExt;

use pidlock_core::PidFile;
use pidlock_tests::{Program, text};
use rustix::process::{Pid, Signal, kill_process};

/// How a program ends, from its wait status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Code(i32),
    By(Signal),
}

impl Ends {
    fn of(status: ExitStatus) -> Option<Self> {
        let by = |number| Signal::from_named_raw(number).map(Self::By);
        status
            .code()
            .map(Self::Code)
            .or(status.signal().and_then(by))
    }
}

/// The state of a pidfile after its holder has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Gone,
    Empty,
    /// Contains the PID of the holder, which is gone.
    Stays,
}

/// A directory that contains only pidfiles.
struct Place {
    dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Place {
    fn new(pidfiles: usize) -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        let paths = (0..pidfiles)
            .map(|n| dir.path().join(format!("{n}.pid")))
            .collect();
        Self { dir, paths }
    }

    /// The first pidfile.
    fn path(&self) -> &Path {
        &self.paths[0]
    }

    /// All files in the directory, with their contents.
    fn all(&self) -> Vec<(PathBuf, String)> {
        let mut all: Vec<_> = fs::read_dir(self.dir.path())
            .expect("read the directory")
            .map(|entry| entry.expect("read an entry").path())
            .map(|path| (path.clone(), text(&path)))
            .collect();
        all.sort();
        all
    }

    /// Asserts that all pidfiles are in this state, and that there are no other files.
    fn check(&self, after: After, pid: u32, what: &str) {
        let contents = match after {
            After::Gone => None,
            After::Empty => Some(String::new()),
            After::Stays => Some(format!("{pid}\n")),
        };
        let expected: Vec<_> = contents
            .into_iter()
            .flat_map(|text| {
                self.paths
                    .iter()
                    .map(move |path| (path.clone(), text.clone()))
            })
            .collect();
        assert_eq!(self.all(), expected, "{what}");
    }

    fn check_held(&self, lock: bool, pid: u32, what: &str) {
        for path in &self.paths {
            assert_eq!(text(path), format!("{pid}\n"), "{what}");
            check_refused(path, lock, Some(pid), what);
        }
    }

    /// Asserts that a child holds every lock: the files are blank, and another start is refused.
    fn check_left_to_child(&self, what: &str) {
        let blank = self.paths.iter().map(|path| (path.clone(), String::new()));
        assert_eq!(self.all(), blank.collect::<Vec<_>>(), "{what}");
        for path in &self.paths {
            check_refused(path, true, None, what);
        }
    }

    /// Asserts that the next start succeeds, and that its release leaves an empty directory.
    fn check_next_start(&self, lock: bool, what: &str) {
        for path in &self.paths {
            let guard = PidFile::at(path).lock(lock).acquire();
            let guard = guard.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(text(path), format!("{}\n", std::process::id()), "{what}");
            guard.close().expect("release");
        }
        assert_eq!(self.all(), [], "{what}");
    }
}

fn check_refused(path: &Path, lock: bool, pid: Option<u32>, what: &str) {
    let error = PidFile::at(path).lock(lock).acquire().map(drop);
    let error = error.expect_err(what);
    assert!(error.is_contention(), "{what}: {error}");
    assert_eq!(error.pid(), pid, "{what}: {error}");
}

/// The program `terminate` with the arguments, which are separated by spaces, and all paths.
fn terminate(arguments: &str, place: &Place) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terminate"));
    command
        .args(arguments.split_whitespace())
        .args(&place.paths);
    command
}

/// Starts `terminate` and waits until it holds all pidfiles.
fn start(arguments: &str, place: &Place) -> Program {
    let mut program = Program::start(&mut terminate(arguments, place));
    assert_eq!(program.line(), "held", "{arguments}");
    program
}

fn send(signal: Signal, pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a valid PID"), signal).expect("send the signal");
}
