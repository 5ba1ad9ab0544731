//! The guide's page for those who come from Python's `pid`: each Python program there and the Rust
//! program that follows it do the same, and what the page calls better is better.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::python::Environment;
use pidlock_tests::{Program, run, said, skip_for_this_user, text};

const PAGE: &str = include_str!("../../pidlock-core/src/guide/from_python.md");

/// A Python program and the Rust program that follows it, with the heading above them.
struct Pair {
    heading: String,
    python: String,
    rust: String,
}

fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for section in PAGE.split("\n# ").skip(1) {
        let block = |start: &str| {
            let (_, rest) = section.split_once(start)?;
            Some(rest.split_once("\n```")?.0.to_owned() + "\n")
        };
        let rust = block("```rust,no_run\n").or_else(|| block("```rust,ignore\n"));
        if let (Some(python), Some(rust)) = (block("```python\n"), rust) {
            let heading = section.lines().next().unwrap_or_default().to_owned();
            pairs.push(Pair {
                heading,
                python,
                rust,
            });
        }
    }
    pairs
}

/// Builds the Rust programs, and returns their directory. Returns `None` and reports a skipped test
/// if this user cannot build.
fn build(pairs: &[Pair]) -> Option<PathBuf> {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("from_python");
    let sources = work.join("src/bin");
    let made = fs::create_dir_all(&sources).and_then(|()| tempfile::tempfile_in(&work));
    if let Err(error) = made {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        skip_for_this_user("only the user who built the tests can build more");
        return None;
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = format!(
        "[package]\nname = \"from-python\"\nedition = \"2024\"\n\
         [dependencies]\npidlock-core = {{ path = {:?} }}\nsignal-hook = \"0.4\"\n[workspace]\n",
        workspace.join("pidlock-core"),
    );
    fs::write(work.join("Cargo.toml"), manifest).expect("write the manifest");
    fs::copy(workspace.join("Cargo.lock"), work.join("Cargo.lock")).expect("copy the lock file");
    for (n, pair) in pairs.iter().enumerate() {
        fs::write(sources.join(format!("pair{n}.rs")), &pair.rust).expect("write a program");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo
        .args(["build", "--quiet", "--offline", "--manifest-path"])
        .arg(work.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(work.join("target"));
    let output = run(&mut cargo);
    assert!(output.status.success(), "{}", said(&output));
    Some(work.join("target/debug"))
}

/// What a program does in a temporary directory: its output, whether it succeeds, and the files that
/// are there afterwards.
fn observe(command: &mut Command, is_held: bool) -> (String, bool, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let _holder = is_held.then(|| {
        let mut holder = Command::new(env!("CARGO_BIN_EXE_holder"));
        let mut holder = Program::start(holder.arg("--at").arg(&path));
        assert!(holder.line().starts_with("held "));
        holder
    });
    let output = run(command.env("TMPDIR", dir.path()));
    let mut files = Vec::new();
    for name in ["app.pid", "app.lock", "new/app.pid"] {
        files.extend(dir.path().join(name).exists().then(|| name.into()));
    }
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    (printed, output.status.success(), files)
}

#[test]
fn each_pair_does_the_same() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let pairs = pairs();
    assert_eq!(pairs.len(), PAGE.matches("```python").count());
    let Some(programs) = build(&pairs) else {
        return;
    };
    for (n, pair) in pairs.iter().enumerate() {
        for is_held in [false, true] {
            let mut python = Command::new(environment.python());
            let theirs = observe(python.args(["-c", &pair.python]), is_held);
            let ours = observe(
                &mut Command::new(programs.join(format!("pair{n}"))),
                is_held,
            );
            assert_eq!(ours, theirs, "{}, held: {is_held}", pair.heading);
            let is_quiet = ours.0.is_empty();
            assert!(!is_quiet || is_held, "{} prints nothing", pair.heading);
        }
    }
}

/// Starts a program that holds the file.
fn hold(path: &Path) -> Program {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_holder"));
    let mut holder = Program::start(holder.arg("--at").arg(path));
    assert!(holder.line().starts_with("held "));
    holder
}

/// Runs a Python program in which `file` is a `PidFile` of this path.
fn python(environment: &Environment, path: &Path, body: &str) -> String {
    let (dir, name) = (path.parent().expect("a directory"), path.file_name());
    let name = name.expect("a name").to_string_lossy();
    let dir = dir.display();
    let program = format!("import os, sys, pid\nfile = pid.PidFile('{name}', '{dir}')\n{body}");
    let mut command = Command::new(environment.python());
    said(&run(command.args(["-c", &program])))
}

const ATTEMPT: &str = "\
try:
    with file: print('in')
except pid.PidFileError as error:
    print(type(error).__name__, getattr(error, 'pid', None))
";

#[test]
fn reused_pid_blocks_only_python() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    // A crash left the file, and later another program got the PID.
    let mut stranger = Program::start(&mut Command::new("cat"));
    fs::write(&path, format!("{}\n", stranger.pid())).expect("write the file");
    let file = File::options().write(true).open(&path).expect("open it");
    file.set_modified(SystemTime::UNIX_EPOCH)
        .expect("set the time of the crash");
    let expected = format!("PidFileAlreadyRunningError {}\n", stranger.pid());
    assert_eq!(python(environment, &path, ATTEMPT), expected);
    let guard = PidFile::at(&path).acquire().expect("take the file over");
    drop(guard);
    stranger.finish();
}

#[test]
fn forked_child_removes_only_the_file_of_python() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let body = "\
file.create()
child = os.fork()
if child == 0: sys.exit(0)
os.waitpid(child, 0)
print(os.path.exists(file.filename))
";
    assert_eq!(python(environment, &path, body), "False\n");

    let mut ours = Command::new(env!("CARGO_BIN_EXE_holder"));
    ours.arg("--at").arg(&path).args(["--then", "fork"]);
    let mut ours = Program::start(&mut ours);
    assert!(ours.line().starts_with("held "));
    ours.line();
    assert_eq!(text(&path), format!("{}\n", ours.pid()));
}

#[test]
fn link_is_followed_only_by_python() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
    fs::write(&other, "\n").expect("write a file");
    symlink(&other, &path).expect("create a link");
    let error = PidFile::at(&path).acquire().expect_err("a link");
    assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
    assert_eq!(text(&other), "\n");
    let body = "file.create()\nprint(open(file.filename).read())\n";
    python(environment, &path, body);
    assert_ne!(text(&other), "\n", "Python has written its PID");
}

#[test]
fn refusal_names_the_process_only_here() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let holder = hold(&path);
    let theirs = python(environment, &path, ATTEMPT);
    assert_eq!(theirs, "PidFileAlreadyLockedError None\n");
    let error = PidFile::at(&path).acquire().expect_err("it is held");
    assert_eq!(error.pid(), Some(holder.pid()));
}

/// The daemon of pidlock that reports its refusal is in the tests of the examples.
#[test]
fn refused_python_daemon_exits_with_success_and_says_nothing() {
    let Some(environment) = Environment::get() else {
        return;
    };
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let _holder = hold(&path);
    let body = "\
import daemon
with daemon.DaemonContext(pidfile=file):
    raise SystemExit
";
    let program = format!(
        "import pid\nfile = pid.PidFile('app', {:?})\n{body}",
        dir.path()
    );
    let output = run(Command::new(environment.python()).args(["-c", &program]));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}
