//! Other programs that lock the pidfile while pidlock releases it. A program that does not check
//! the path again after it has locked the file can hold a removed file, which no other process can
//! open.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::python::Environment;
use pidlock_tests::tally::Figures;
use pidlock_tests::{Program, has_tool, skip};

use crate::libbsd;

/// The results of a run of pidlock against another program.
#[derive(Debug)]
struct Counted {
    /// Holds of the other program.
    inside: u64,
    /// Holds of the other program whose file had been removed.
    removed: u64,
    /// Holds of the file at the path, by either side, that began while the other side held it.
    overlaps: u64,
    /// Holds of pidlock.
    ours: u64,
    /// Holds of pidlock whose release returned `Replaced`.
    told: u64,
}

/// Acquires and releases the file in a loop while another program does the same, until that program
/// exits. Each holder creates and removes a directory, the oracle. Creating it fails if two holds
/// overlap.
fn storm(keep: bool, what: &str, neighbour: impl FnOnce(&Path, &Path) -> Command) -> Counted {
    let dir = tempfile::tempdir().expect("create a directory");
    let (path, oracle) = (dir.path().join("app.pid"), dir.path().join("oracle"));
    let mut neighbour = Program::start(&mut neighbour(&path, &oracle));
    let line = thread::spawn(move || neighbour.line());
    let file = PidFile::at(&path).keep(keep);
    let (mut ours, mut told, mut overlaps) = (0, 0, 0);
    let mut pause = 0;
    while !line.is_finished() {
        // A pause that differs each time, so that the two programs do not fall into step.
        pause = (pause + 37) % 331;
        let until = Instant::now() + Duration::from_micros(pause);
        while Instant::now() < until {
            thread::yield_now();
        }
        let guard = match file.acquire() {
            Ok(guard) => guard,
            Err(error) if error.is_contention() => continue,
            Err(error) => panic!("{what}: {error}"),
        };
        ours += 1;
        match fs::create_dir(&oracle) {
            Ok(()) => fs::remove_dir(&oracle).expect("remove the oracle"),
            Err(_) => overlaps += 1,
        }
        match guard.close() {
            Ok(()) => {}
            Err(PidFileError::Replaced { .. }) => told += 1,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    let line = line.join().expect("the thread does not panic");
    let mut numbers = line.split(' ').map(|n| n.parse().expect("a number"));
    let mut number = || numbers.next().expect("three numbers");
    let counted = Counted {
        inside: number(),
        removed: number(),
        overlaps: number() + overlaps,
        ours,
        told,
    };
    println!("{what}, keep {keep}: {counted:?}");
    assert!(counted.inside > 0 && ours > 0, "{what}: {counted:?}");
    file.acquire()
        .expect("acquire after the run")
        .close()
        .expect("release");
    counted
}

/// Asserts that no holds overlapped and that no release of pidlock returned `Replaced`, and records
/// the counts.
fn assert_whole(what: &str, counted: &Counted) {
    assert_eq!(
        (counted.overlaps, counted.told),
        (0, 0),
        "{what}: {counted:?}"
    );
    Figures {
        holds: counted.ours + counted.inside,
        overlaps: counted.overlaps,
        harmed: counted.told,
        ..Figures::default()
    }
    .record(what);
}

fn python(environment: &Environment, body: &str, path: &Path, oracle: &Path) -> Command {
    let mut command = Command::new(environment.python());
    let prelude = "import os, sys\npath, oracle = sys.argv[1:]\ninside = removed = overlaps = 0\n\
        def enter(fd):\n    global inside, removed, overlaps\n    inside += 1\n    \
        if os.fstat(fd).st_nlink == 0:\n        removed += 1\n        return\n    \
        try:\n        os.mkdir(oracle)\n        os.rmdir(oracle)\n    \
        except FileExistsError:\n        overlaps += 1\n";
    let end = "\nprint(inside, removed, overlaps, flush=True)";
    command.arg("-c").arg(format!("{prelude}{body}{end}"));
    command.args([path, oracle]);
    command
}

#[test]
fn filelock_and_libbsd_never_hold_a_removed_file() {
    if let Some(environment) = Environment::get() {
        let body = "import filelock\nwhile inside < 100:\n    lock = filelock.FileLock(path)\n    \
            try:\n        lock.acquire(timeout=0)\n    except filelock.Timeout:\n        continue\n    \
            enter(lock._context.lock_file_fd)\n    lock.release()";
        for keep in [false, true] {
            let counted = storm(keep, "beside filelock", |path, oracle| {
                python(environment, body, path, oracle)
            });
            assert_eq!(counted.removed, 0, "{counted:?}");
            assert_whole("beside filelock", &counted);
        }
    }
    if let Some(pidfile) = libbsd::program() {
        for keep in [false, true] {
            let counted = storm(keep, "beside libbsd", |path, oracle| {
                let mut command = Command::new(&pidfile);
                command.arg("storm").args([path, oracle]).arg("100");
                command
            });
            assert_eq!(counted.removed, 0, "{counted:?}");
            assert_whole("beside libbsd", &counted);
        }
    }
}

/// `flock(1)` waits for the lock, does not check the path afterwards and does not write to the
/// file. Its command inherits the locked file as descriptor 3, and so can count the file's links.
#[test]
fn flock_holds_removed_files_unless_pidlock_keeps_them() {
    if !has_tool("flock") {
        return skip("there is no flock");
    }
    let script = r#"
        export path=$1 oracle=$2
        while [ $((in)) -lt 60 ]; do
            flock "$path" sh -c '
                if [ "$(stat -L -c %h /proc/self/fd/3)" = 0 ]; then exit 11; fi
                mkdir "$oracle" 2>/dev/null || exit 12
                rmdir "$oracle"; exit 10'
            case $? in
            10) in=$((in + 1)) ;;
            11) in=$((in + 1)); removed=$((removed + 1)) ;;
            12) in=$((in + 1)); overlaps=$((overlaps + 1)) ;;
            esac
        done
        echo $((in)) $((removed)) $((overlaps))"#;
    for keep in [false, true] {
        let counted = storm(keep, "beside flock", |path, oracle| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "-"]).args([path, oracle]);
            command
        });
        // Without `keep`, pidlock removes files while flock waits for their lock.
        assert_eq!(counted.removed == 0, keep, "{counted:?}");
        assert_whole("beside flock", &counted);
    }
}

/// Python code with a function `stop`, which wraps another function. A call of the wrapped function
/// prints a word, waits until the input ends, and only then does its work.
const STOPS: &str = "import fcntl, os, sys, pid\n\
    def stop(where, function):\n    \
        def stopping(*arguments):\n        \
            print(where, flush=True)\n        sys.stdin.read()\n        \
            return function(*arguments)\n    return stopping\n\
    dir, name = os.path.split(sys.argv[1])\n\
    file = pid.PidFile(name, piddir=dir, register_atexit=False)\n";

fn stopping(environment: &Environment, path: &Path, body: &str) -> Program {
    let mut command = Command::new(environment.python());
    command.arg("-c").arg(format!("{STOPS}{body}")).arg(path);
    Program::start(&mut command)
}

/// Python's `pid` also reads the PID from the file that it has locked. If pidlock has removed that
/// file, it still contains the PID of this process, which is running, so `pid` raises an error.
#[test]
fn python_pid_and_pidlock_in_a_loop_exclude_each_other() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let body = "import pid\ndir, name = os.path.split(path)\nwhile inside < 100:\n    \
        file = pid.PidFile(name, piddir=dir, register_atexit=False)\n    \
        try:\n        file.create()\n    except pid.PidFileError:\n        continue\n    \
        enter(file.fh.fileno())\n    file.close()";
    for keep in [false, true] {
        let counted = storm(keep, "beside Python's pid", |path, oracle| {
            python(environment, body, path, oracle)
        });
        assert_eq!(counted.removed, 0, "{counted:?}");
        assert_whole("beside Python's pid", &counted);
    }
}

/// After Python's `pid` opens the file and before it locks it, one process releases the file and
/// another acquires it. Without `keep`, Python's `pid` then holds a removed file. On release, it
/// removes the file at the path, which the other process holds.
#[test]
fn python_pid_holds_a_removed_file_unless_pidlock_keeps_it() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let body = "fcntl.flock = stop('opened', fcntl.flock)\n\
        try:\n    file.create()\n    print('in, names', os.fstat(file.fh.fileno()).st_nlink)\n    file.close()\n\
        except pid.PidFileError as error:\n    print(type(error).__name__)";
    for (keep, outcome) in [
        (false, "in, names 0\n"),
        (true, "PidFileAlreadyLockedError\n"),
    ] {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        let file = PidFile::at(&path).keep(keep);
        let mut first = Command::new(env!("CARGO_BIN_EXE_holder"));
        first.arg("--at").arg(&path).args(keep.then_some("--keep"));
        let mut first = Program::start(&mut first);
        first.expect(&format!("held {}", path.display()));
        let mut theirs = stopping(environment, &path, body);
        theirs.expect("opened");
        first.finish();
        let second = file.acquire().expect("the first holder has exited");
        assert_eq!(theirs.finish().1, outcome, "keep {keep}");
        let told = |answer| matches!(answer, Err(PidFileError::Replaced { .. }));
        assert_eq!(told(second.verify()), !keep);
        assert_eq!(told(second.close()), !keep);
    }
}

/// Python's `pid` unlocks its file before it removes it. In between, the recorded process is still
/// running, so starts are refused.
#[test]
fn start_while_python_pid_is_releasing_is_refused() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let body = "file.create()\nos.path.isfile = stop('unlocked', os.path.isfile)\nfile.close()";
    let mut theirs = stopping(environment, &path, body);
    theirs.expect("unlocked");
    let error = PidFile::at(&path)
        .acquire()
        .expect_err("the Python process is running");
    let running = matches!(error, PidFileError::AlreadyRunning { .. });
    assert!(running && error.pid() == Some(theirs.pid()), "{error}");
    assert!(theirs.finish().0.success());
    assert!(!path.exists(), "Python removes its file");
}
