//! Other programs that read the pidfile or take its lock, each both ways.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use pidlock_core::{PidFile, PidFileError, PidGuard};
use pidlock_tests::{Program, has_tool, run, said, skip, stale_record, text};

fn holder(path: &Path) -> Program {
    let mut program = Program::start(
        Command::new(env!("CARGO_BIN_EXE_holder"))
            .arg("--at")
            .arg(path),
    );
    program.expect(&format!("held {}", path.display()));
    program
}

fn pgrep(path: &Path) -> Command {
    let mut command = Command::new("pgrep");
    command.arg("-F").arg(path).arg("-L");
    command
}

#[test]
fn pgrep_sees_the_lock_and_the_pid() {
    if !has_tool("pgrep") {
        return skip("there is no pgrep");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut holder = holder(&path);
    let seen = run(&mut pgrep(&path));
    assert_eq!(said(&seen), format!("{}\n", holder.pid()));
    holder.kill();
    assert!(
        !run(&mut pgrep(&path)).status.success(),
        "the lock ended with its holder"
    );
}

#[test]
fn flock_sees_the_lock_and_we_see_its() {
    if !has_tool("flock") {
        return skip("there is no flock");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let flock = || {
        let mut command = Command::new("flock");
        command.arg("-n").arg(&path);
        command
    };
    let mut ours = holder(&path);
    assert_eq!(
        run(flock().arg("true")).status.code(),
        Some(1),
        "flock is refused"
    );
    ours.finish();
    assert_eq!(run(flock().arg("true")).status.code(), Some(0));

    let mut theirs = Program::start(flock().args(["sh", "-c", "echo in; read wait"]));
    theirs.expect("in");
    let error = PidFile::at(&path).acquire().expect_err("flock holds it");
    assert!(
        matches!(error, PidFileError::AlreadyLocked { pid: None, .. }),
        "{error}"
    );
    assert_eq!(text(&path), "", "nothing was written");
    theirs.finish();
    PidFile::at(&path)
        .acquire()
        .expect("flock is gone")
        .close()
        .expect("an end");
}

#[test]
fn kill_reaches_the_holder_by_its_pidfile() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut holder = holder(&path);
    let killed = run(Command::new("sh")
        .args(["-c", "kill $(cat $1)", "-"])
        .arg(&path));
    assert!(killed.status.success(), "{}", said(&killed));
    let status = holder.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(15)
    );
}

/// Runs looks at the file in a tight loop beside starts, until there were enough of both.
fn starts_beside(looks: impl Fn(&Path) + Sync) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let (stop, looked) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    looks(&path);
                    looked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut outcome = Ok(());
        let mut starts = 0;
        while outcome.is_ok() && (starts < 300 || looked.load(Ordering::Relaxed) < 300) {
            // A file that is there, so that there is something to look at from the start on.
            std::fs::write(&path, stale_record()).expect("a stale file");
            outcome = PidFile::at(&path).acquire().and_then(PidGuard::close);
            starts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        outcome.expect("there are nobody but onlookers");
    });
}

#[test]
fn pgrep_in_a_tight_loop_makes_no_start_fail() {
    if !has_tool("pgrep") {
        return skip("there is no pgrep");
    }
    starts_beside(|path| drop(run(&mut pgrep(path))));
}

#[test]
fn status_in_a_tight_loop_makes_no_start_fail() {
    starts_beside(|path| {
        // Whatever it shows; a file that went away meanwhile is no error either.
        PidFile::at(path).status().expect("a look");
    });
}

mod python {
    //! Python's `pid` 3.0.4, from its registry, in an environment of its own.

    use pidlock_tests::python::Environment;

    use super::*;

    /// Python programs that use `pid`.
    trait Pid {
        fn script(&self, arguments: &str, body: &str) -> Command;
        fn holder(&self, arguments: &str) -> Program;
        fn attempt(&self, arguments: &str) -> String;
    }

    impl Pid for Environment {
        /// A program that does something with `pid`, and with what both sides go by when they look
        /// for a directory left out.
        fn script(&self, arguments: &str, body: &str) -> Command {
            let mut command = Command::new(self.python());
            command.env_remove("XDG_RUNTIME_DIR").env_remove("RUNTIME_DIRECTORY").arg("-c").arg(format!(
                "import sys, pid\nfile = pid.PidFile({arguments})\ndef say(what):\n    print(what, flush=True)\n{body}"
            ));
            command
        }

        fn holder(&self, arguments: &str) -> Program {
            let mut python = Program::start(&mut self.script(
                arguments,
                "with file:\n    say('held ' + file.filename)\n    sys.stdin.read()",
            ));
            let line = python.line();
            assert!(line.starts_with("held "), "{line}");
            python
        }

        /// What Python says when it tries: `in`, or the name of what it raises.
        fn attempt(&self, arguments: &str) -> String {
            let output = run(&mut self.script(
                arguments,
                "try:\n    with file:\n        say('in')\nexcept pid.PidFileError as e:\n    say(type(e).__name__)",
            ));
            said(&output).trim_end().to_owned()
        }
    }

    fn here(path: &Path) -> String {
        format!("'app', piddir='{}'", path.display())
    }

    #[test]
    fn holds_and_we_are_refused_with_its_pid() {
        let Some(python) = Environment::get() else {
            return;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let file = PidFile::new("app").dir(dir.path());
        let mut theirs = python.holder(&here(dir.path()));
        let error = file.acquire().expect_err("Python holds it");
        assert!(
            matches!(error, PidFileError::AlreadyLocked { .. }),
            "{error}"
        );
        assert_eq!(error.pid(), Some(theirs.pid()));
        theirs.finish();
        file.acquire()
            .expect("Python is gone")
            .close()
            .expect("an end");

        let mut killed = python.holder(&here(dir.path()));
        killed.kill();
        file.acquire()
            .expect("Python was killed")
            .close()
            .expect("an end");
    }

    #[test]
    fn is_refused_while_we_hold() {
        let Some(python) = Environment::get() else {
            return;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let mut ours = holder(&dir.path().join("app.pid"));
        assert_eq!(
            python.attempt(&here(dir.path())),
            "PidFileAlreadyLockedError"
        );
        assert_eq!(
            text(&dir.path().join("app.pid")),
            format!("{}\n", ours.pid())
        );
        ours.kill();
        assert_eq!(
            python.attempt(&here(dir.path())),
            "in",
            "it takes our stale file over"
        );
    }

    #[test]
    fn without_locks_on_both_sides_the_pid_excludes() {
        let Some(python) = Environment::get() else {
            return;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let unlocked = here(dir.path()) + ", lock_pidfile=False";
        let file = PidFile::new("app").dir(dir.path()).lock(false);

        let mut theirs = python.holder(&unlocked);
        let error = file.acquire().expect_err("Python runs");
        assert!(
            matches!(error, PidFileError::AlreadyRunning { .. }),
            "{error}"
        );
        assert_eq!(error.pid(), Some(theirs.pid()));
        theirs.finish();

        let guard = file.acquire().expect("a start");
        assert_eq!(python.attempt(&unlocked), "PidFileAlreadyRunningError");
        guard.close().expect("an end");
    }

    #[test]
    fn finds_the_same_default_directory() {
        let Some(python) = Environment::get() else {
            return;
        };
        let name = format!("pidlock-test-{}", std::process::id());
        let ours = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
            command.args(["--name", &name]);
            command
                .env_remove("XDG_RUNTIME_DIR")
                .env_remove("RUNTIME_DIRECTORY");
            command
        };
        let mut theirs = python.holder(&format!("'{name}'"));
        let refusal = Program::start(&mut ours()).line();
        assert!(refusal.starts_with("refused: "), "{refusal}");
        assert!(
            refusal.ends_with(&format!("already locked by PID {}", theirs.pid())),
            "{refusal}"
        );
        theirs.finish();

        let mut ours = Program::start(&mut ours());
        assert!(ours.line().starts_with("held "));
        assert_eq!(
            python.attempt(&format!("'{name}'")),
            "PidFileAlreadyLockedError"
        );
        ours.finish();
    }
}
