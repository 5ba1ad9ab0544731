//! Errors that only some file systems return, which the tests inject into a start by ptrace(2), and
//! paths that do not refer to a regular file.

#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{run, said};

#[test]
fn path_of_a_directory_is_refused_as_is_a_directory() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    fs::create_dir(&path).expect("create a directory");
    assert_refused(&path, io::ErrorKind::IsADirectory, "is a directory");
}

#[test]
fn path_of_a_special_file_is_refused_as_invalid_input() {
    let dir = tempfile::tempdir().expect("create a directory");
    assert_refused(
        Path::new("/dev/full"),
        io::ErrorKind::InvalidInput,
        "is a device",
    );
    let fifo = dir.path().join("fifo");
    let made = run(Command::new("mkfifo").arg(&fifo));
    assert!(made.status.success(), "{}", said(&made));
    assert_refused(&fifo, io::ErrorKind::InvalidInput, "is a FIFO");
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).expect("create a socket");
    assert_refused(&socket, io::ErrorKind::InvalidInput, "is a socket");
}

fn assert_refused(path: &Path, kind: io::ErrorKind, words: &str) {
    for lock in [true, false] {
        let error = PidFile::at(path).lock(lock).acquire();
        let error = error.expect_err("not a regular file");
        assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
        let message = error.to_string();
        for words in [words, &format!("'{}'", path.display()), "choose another"] {
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(io::Error::from(error).kind(), kind, "{message}");
    }
}

#[cfg(target_arch = "x86_64")]
mod answers {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use libc::{c_int, c_long};
    use pidlock_tests::ptrace::{Call, Stepper, Stop};
    use pidlock_tests::{Program, is_root, stale_record, text};

    const OPEN: &[c_long] = &[libc::SYS_open, libc::SYS_openat];
    const STAT: &[c_long] = &[
        libc::SYS_fstat,
        libc::SYS_lstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
    ];
    const MODE: &[c_long] = &[libc::SYS_fchmod];
    const OWNER: &[c_long] = &[libc::SYS_fchown];
    const LOCK: &[c_long] = &[libc::SYS_flock];
    const READ: &[c_long] = &[libc::SYS_pread64];
    const LINK: &[c_long] = &[libc::SYS_link, libc::SYS_linkat];

    /// The file at the path before a start.
    #[derive(Debug, Clone, Copy)]
    enum Before {
        Nothing,
        /// A stale file, whose mode a start has to change.
        Stale,
    }

    /// A start with system calls that fail.
    struct Start {
        dir: tempfile::TempDir,
        before: Before,
        arguments: &'static [&'static str],
    }

    impl Start {
        fn new(before: Before, arguments: &'static [&'static str]) -> Self {
            let dir = tempfile::tempdir().expect("create a directory");
            Self {
                dir,
                before,
                arguments,
            }
        }

        fn path(&self) -> std::path::PathBuf {
            self.dir.path().join("app.pid")
        }

        /// Runs the start. Returns its output and the number of calls that failed.
        fn run(&self, fails: impl FnMut(Call) -> Option<c_int>) -> (String, u32) {
            let path = self.path();
            let _ = fs::remove_file(&path);
            if let Before::Stale = self.before {
                fs::write(&path, stale_record()).expect("write a stale file");
                fs::set_permissions(&path, Permissions::from_mode(0o604)).expect("set the mode");
            }
            run(&path, self.arguments, fails)
        }
    }

    /// Acquires and releases the file. During the acquire, a system call fails if `fails` returns
    /// an error for it.
    fn run(
        path: &Path,
        arguments: &[&str],
        fails: impl FnMut(Call) -> Option<c_int>,
    ) -> (String, u32) {
        run_what("close", path, arguments, fails)
    }

    /// Does `what`, in the words of the program `traced`.
    fn run_what(
        what: &str,
        path: &Path,
        arguments: &[&str],
        mut fails: impl FnMut(Call) -> Option<c_int>,
    ) -> (String, u32) {
        let mut command = Command::new("sh");
        // The umask removes bits of the default mode, so that the mode has to be set.
        command.args(["-c", "umask 077 && exec \"$@\"", "-"]);
        command.args([env!("CARGO_BIN_EXE_traced"), what]);
        let mut start = Stepper::start(command.args(arguments).arg(path));
        let (mut marks, mut failed) = (0, 0);
        loop {
            match start.step() {
                Stop::Before(call) if call.is_mark() => marks += 1,
                Stop::Before(call) if marks == 1 => {
                    if let Some(error) = fails(call) {
                        start.refuse(error);
                        failed += 1;
                    }
                }
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        (start.wait_for_all(), failed)
    }

    /// Asserts that a start succeeds if any single one of these calls reports a removed file.
    fn assert_removed_file_is_found_out(start: &Start, calls: &[c_long]) {
        for error in [libc::ENOENT, libc::ESTALE] {
            let mut n = 0;
            loop {
                let mut seen = 0;
                let (said, failed) = start.run(|call| {
                    let is_one = calls.iter().any(|&number| call.is(number));
                    seen += u32::from(is_one);
                    (is_one && seen == n + 1).then_some(error)
                });
                if failed == 0 {
                    break;
                }
                let what = format!("{calls:?} {n}, error {error}, {:?}", start.before);
                assert_eq!(said, "in\nclosed\n", "{what}");
                assert!(!start.path().exists(), "{what}");
                n += 1;
            }
            assert!(n > 0, "such a call is made: {calls:?}, {:?}", start.before);
        }
    }

    #[test]
    fn start_that_gets_enoent_or_estale_succeeds() {
        for before in [Before::Nothing, Before::Stale] {
            for calls in [OPEN, STAT, MODE] {
                for arguments in [&[][..], &["--no-lock"]] {
                    assert_removed_file_is_found_out(&Start::new(before, arguments), calls);
                }
            }
            assert_removed_file_is_found_out(&Start::new(before, &[]), LOCK);
            if is_root() {
                assert_removed_file_is_found_out(&Start::new(before, &["--owner"]), OWNER);
            }
        }
        assert_removed_file_is_found_out(&Start::new(Before::Stale, &["--no-lock"]), READ);
    }

    fn all(calls: &[c_long], error: c_int) -> impl FnMut(Call) -> Option<c_int> {
        move |call| {
            let is_one = calls.iter().any(|&number| call.is(number));
            is_one.then_some(error)
        }
    }

    const NOT_KEPT: [c_int; 3] = [libc::EPERM, libc::EOPNOTSUPP, libc::ENOSYS];

    #[test]
    fn start_that_requests_no_mode_succeeds_if_modes_cannot_be_set() {
        for before in [Before::Nothing, Before::Stale] {
            for error in NOT_KEPT {
                let start = Start::new(before, &[]);
                let (said, failed) = start.run(all(MODE, error));
                assert_eq!(said, "in\nclosed\n", "error {error}, {before:?}");
                assert!(failed > 0, "the start tries to set the mode: {before:?}");
                assert!(!start.path().exists());
            }
        }
    }

    #[test]
    fn start_that_requests_a_mode_or_owner_fails_if_it_cannot_be_set() {
        for error in NOT_KEPT {
            let start = Start::new(Before::Stale, &["--mode"]);
            let (said, _) = start.run(all(MODE, error));
            assert_failed_about_mode(&said, error);
            assert_eq!(text(&start.path()), stale_record(), "the file is unchanged");
        }
        if is_root() {
            for error in NOT_KEPT {
                for before in [Before::Nothing, Before::Stale] {
                    let (said, _) = Start::new(before, &["--owner"]).run(all(OWNER, error));
                    assert_failed_about_mode(&said, error);
                }
            }
        }
    }

    fn assert_failed_about_mode(said: &str, error: c_int) {
        let reason = std::io::Error::from_raw_os_error(error).to_string();
        assert!(
            said.starts_with("failed: cannot change the owner or mode of pidfile")
                && said.contains(&reason),
            "{said}"
        );
    }

    #[test]
    fn other_error_of_fchmod_fails_the_start() {
        for before in [Before::Nothing, Before::Stale] {
            let (said, _) = Start::new(before, &[]).run(all(MODE, libc::EIO));
            assert_failed_about_mode(&said, libc::EIO);
        }
    }

    /// CIFS returns `EACCES` if another client has locked the file.
    #[test]
    fn start_whose_lock_returns_eacces_is_refused_as_locked() {
        let start = Start::new(Before::Stale, &[]);
        let unknown = format!(
            "refused: pidfile '{}' already locked by an unknown process",
            start.path().display()
        );
        let (said, _) = start.run(all(LOCK, libc::EACCES));
        assert!(said.starts_with(&unknown), "{said}");
        assert_eq!(text(&start.path()), stale_record(), "the file is unchanged");

        let path = start.path();
        fs::remove_file(&path).expect("remove the file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
        let mut holder = Program::start(command.arg("--at").arg(&path));
        holder.expect(&format!("held {}", path.display()));
        let known = unknown.replace("an unknown process", &format!("PID {}", holder.pid()));
        let (said, _) = run(&path, &[], all(LOCK, libc::EACCES));
        assert!(said.starts_with(&known), "{said}");
        // On CIFS, a locked range cannot be read either.
        let (said, failed) = run(&path, &[], all(&[LOCK, READ].concat(), libc::EACCES));
        assert!(said.starts_with(&unknown), "{said}");
        assert!(failed > 1, "{failed}");
        for (what, answer) in [
            ("status", "status: Locked { pid: None }"),
            (
                "holder",
                "failed: cannot find the process that holds pidfile",
            ),
        ] {
            let (said, failed) =
                run_what(what, &path, &[], all(&[LOCK, READ].concat(), libc::EACCES));
            assert!(said.starts_with(answer), "{said}");
            assert!(failed > 1, "{failed}");
        }
        assert_eq!(holder.finish().1, "closed\n");
    }

    #[test]
    fn lockless_start_without_hard_links_says_what_to_do() {
        for before in [Before::Nothing, Before::Stale] {
            for error in NOT_KEPT {
                let start = Start::new(before, &["--no-lock"]);
                let (said, failed) = start.run(all(LINK, error));
                assert_eq!(failed, 1, "error {error}, {before:?}");
                let path = start.path();
                let message = format!(
                    "failed: cannot link pidfile '{}': {}; this file system has no hard links: use \
                     lock = true, or another directory\n",
                    path.display(),
                    std::io::Error::from_raw_os_error(error)
                );
                assert!(said.starts_with(&message), "{said}");
                let left = fs::read_dir(start.dir.path()).expect("read the directory");
                assert_eq!(left.count(), usize::from(path.exists()), "{before:?}");
            }
        }
    }

    /// CIFS returns `EINVAL` if a file that is open is opened by another name.
    #[test]
    fn lockless_start_whose_link_cannot_be_opened_says_what_to_do() {
        let start = Start::new(Before::Nothing, &["--no-lock"]);
        let mut is_linked = false;
        let (said, failed) = start.run(|call| {
            is_linked |= LINK.iter().any(|&number| call.is(number));
            let is_open = OPEN.iter().any(|&number| call.is(number));
            (is_linked && is_open).then_some(libc::EINVAL)
        });
        assert!(failed > 0, "the link is opened");
        let advice = "has no hard links: use lock = true, or another directory\n";
        assert!(
            said.starts_with("failed: ") && said.contains(advice),
            "{said}"
        );
        assert_eq!(text(&start.path()), "", "the file stops no other start");
    }

    /// NFS returns `EBADF` for an exclusive lock on a file that is open without write access. So
    /// each attempt must check in another way that a process holds the lock.
    #[test]
    fn start_whose_lock_returns_ebadf_is_refused_as_locked_while_a_process_holds_it() {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        let file = fs::File::create(&path).expect("create a blank file");
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).expect("lock the file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        let mut start = Stepper::start(command.arg("close").arg(&path));
        loop {
            match start.step() {
                Stop::Before(call) if call.is(libc::SYS_flock) => {
                    let [_, operation, ..] = start.arguments();
                    if operation & 0xf
                        == u64::from(libc::LOCK_EX.unsigned_abs() | libc::LOCK_NB.unsigned_abs())
                    {
                        start.refuse(libc::EBADF);
                    }
                }
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        let said = start.wait_for_all();
        let words = "already locked by an unknown process";
        assert!(
            said.starts_with("refused: ") && said.contains(words),
            "{said}"
        );
    }
}
