//! What a start does with each text that a pidfile can contain, while the recorded process is gone
//! and while it is running.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_tests::{NONEXISTENT_PID, Program, text};

/// What a start does with a file whose recorded process is gone.
#[derive(Clone, Copy)]
enum Stale {
    /// The start takes it over.
    TakenOver,
    /// The start fails and leaves the file unchanged. Its message contains these words.
    Left(&'static str),
}

use Stale::{Left, TakenOver};

/// Texts that contain a PID, which is written as `PID` here.
const RECORDS: &[(&str, &str, Stale)] = &[
    ("PID\n", "as written", TakenOver),
    ("PID", "no newline", TakenOver),
    ("PID\r\n", "CRLF", TakenOver),
    ("      PID\n", "padded, as by printf(\"%10d\")", TakenOver),
    ("\tPID \n", "white space on both sides", TakenOver),
    ("000PID\n", "leading zeroes", TakenOver),
    ("\n\nPID\n", "blank lines first", TakenOver),
    ("\u{feff}PID\n", "byte order mark", TakenOver),
    ("PID\n\n\n", "blank lines at the end", TakenOver),
    (
        "PID\nhost.example\n",
        "PID and host, as mail tools write them",
        Left("PID, which is gone"),
    ),
    (
        "PID\n/var/lib/db\n1690000000\n5432\n",
        "the lock file of a database",
        Left("PID, which is gone"),
    ),
];

/// Blank texts, and texts that are not a valid record.
const OTHERS: &[(&str, &str, Stale)] = &[
    ("", "empty", TakenOver),
    ("\n \t\n", "white space", TakenOver),
    ("\0\0\0\0", "zeroes from a power cut", TakenOver),
    ("0\n", "zero", Left("0 is not a valid PID")),
    ("-PID\n", "negative, a process group", Left("\"-PID\"")),
    ("+PID\n", "sign", Left("\"+PID\"")),
    ("0x1267\n", "hex", Left("\"0x1267\"")),
    ("PIDabc\n", "letters after it", Left("\"PIDabc\"")),
    ("PID 4712\n", "two on a line", Left("\"PID 4712\"")),
    (
        "99999999999999999999\n",
        "too large",
        Left("\"99999999999999999999\" is out of range"),
    ),
    ("pid=PID\n", "key and value", Left("\"pid=PID\"")),
    (
        "PID\0\0\0",
        "a PID, then zeroes",
        Left(r"PID\u{0}\u{0}\u{0}"),
    ),
];

struct Pidfile {
    _dir: tempfile::TempDir,
    path: PathBuf,
    before: (String, u64, u32, i64, i64),
}

impl Pidfile {
    fn with(contents: &str) -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        fs::write(&path, contents).expect("write the file");
        let before = observe(&path);
        Self {
            _dir: dir,
            path,
            before,
        }
    }

    fn assert_taken_over(&self, what: &str) {
        let status = PidFile::at(&self.path).status().expect(what);
        let is_free = matches!(status, Status::Empty | Status::Stale { .. });
        assert!(is_free, "{what}: {status:?}");
        let guard = PidFile::at(&self.path)
            .acquire()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(text(&self.path), format!("{}\n", std::process::id()));
        guard.close().expect("release");
        assert!(!self.path.exists(), "{what}");
    }

    /// Asserts that a start fails and changes nothing. Returns its error.
    fn refusal(&self, what: &str) -> PidFileError {
        let Err(error) = PidFile::at(&self.path).acquire() else {
            panic!("{what}: the start succeeded");
        };
        assert_eq!(observe(&self.path), self.before, "{what}");
        let message = error.to_string();
        assert!(
            message.contains(&format!("'{}'", self.path.display())),
            "{message}"
        );
        assert!(message.contains("remove the file"), "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        error
    }

    /// Asserts that a start leaves the file, and that the status is an error with an equal message.
    fn assert_left(&self, what: &str, words: &str) {
        let error = self.refusal(what);
        let status = PidFile::at(&self.path).status().expect_err(what);
        assert_eq!(status.to_string(), error.to_string(), "{what}");
        assert!(
            matches!(error, PidFileError::Unreadable { .. }),
            "{what}: {error}"
        );
        assert_eq!(error.pid(), None, "{what}: no process is the cause");
        assert!(error.to_string().contains(words), "{what}: {error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
    }
}

/// Contents, inode, mode and modification time.
fn observe(path: &Path) -> (String, u64, u32, i64, i64) {
    let stat = fs::metadata(path).expect("the file exists");
    let time = (stat.mtime(), stat.mtime_nsec());
    (text(path), stat.ino(), stat.mode(), time.0, time.1)
}

fn with_pid(template: &str, pid: u32) -> String {
    template.replace("PID", &pid.to_string())
}

fn assert_stale(text: &str, what: &str, stale: Stale, pid: u32) {
    let file = Pidfile::with(&with_pid(text, pid));
    match stale {
        TakenOver => file.assert_taken_over(what),
        Left(words) => file.assert_left(what, &expected(words, pid)),
    }
}

/// Replaces `PID` in the words of a message, except in "a valid PID".
fn expected(words: &str, pid: u32) -> String {
    match words.contains("valid PID") {
        true => words.to_owned(),
        false => with_pid(words, pid),
    }
}

#[test]
fn file_that_names_a_dead_process_is_taken_over_or_left() {
    for &(text, what, stale) in RECORDS {
        assert_stale(text, what, stale, NONEXISTENT_PID);
    }
}

#[test]
fn start_over_the_pid_of_a_running_process_is_refused_with_that_pid() {
    let running = Program::start(&mut Command::new("cat"));
    for &(text, what, _) in RECORDS {
        let error = Pidfile::with(&with_pid(text, running.pid())).refusal(what);
        assert!(
            matches!(error, PidFileError::AlreadyRunning { pid, .. } if pid == running.pid()),
            "{what}: {error}"
        );
        assert_eq!(error.pid(), Some(running.pid()));
    }
}

#[test]
fn file_without_a_valid_record_is_taken_over_only_if_blank() {
    let running = Program::start(&mut Command::new("cat"));
    for &(text, what, stale) in OTHERS {
        assert_stale(text, what, stale, NONEXISTENT_PID);
        assert_stale(text, what, stale, running.pid());
    }
}
