//! Every case of the test suite of Python's `pid` 3.0.4 under its original name, or the reason why
//! it has no counterpart.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use pidlock_core::{PidFile, PidFileError, PidGuard, Status, pidfile};
use pidlock_tests::{NONEXISTENT_PID, Program, text};

/// The cases in the order of the suite, with the reason if a case has no counterpart.
const CASES: &[(&str, Option<&str>)] = &[
    ("test_pid_class", None),
    ("test_pid_context_manager", None),
    ("test_pid_pid", None),
    ("test_pid_pid_win32", WINDOWS),
    ("test_pid_custom_name", None),
    ("test_pid_enforce_dotpid_postfix", None),
    ("test_pid_force_tmpdir", None),
    ("test_pid_custom_dir", None),
    ("test_pid_piddir_exists_as_file", None),
    ("test_pid_no_term_signal", SIGNALS),
    ("test_pid_term_signal", SIGNALS),
    ("test_pid_force_register_term_signal_handler", SIGNALS),
    ("test_pid_supply_term_signal_handler", SIGNALS),
    ("test_pid_chmod", None),
    ("test_pid_chmod_win32", WINDOWS),
    ("test_pid_already_locked", None),
    ("test_pid_already_locked_custom_name", None),
    ("test_pid_already_locked_multi_process", None),
    ("test_pid_two_locks_multi_process", None),
    ("test_pid_already_running", None),
    ("test_pid_already_running_custom_name", None),
    ("test_pid_already_running_exception_has_pid_value", None),
    ("test_pid_decorator", None),
    ("test_pid_decorator_already_locked", None),
    ("test_pid_already_closed", None),
    ("test_pid_multiplecreate", None),
    ("test_pid_gid", None),
    ("test_pid_gid_win32", WINDOWS),
    ("test_pid_check_const_empty", None),
    ("test_pid_check_const_nofile", None),
    ("test_pid_check_const_samepid", None),
    ("test_pid_check_const_notrunning", None),
    ("test_pid_check_already_running", None),
    ("test_pid_check_samepid_with_blocks", None),
    ("test_pid_check_samepid", None),
    (
        "test_pid_raises_already_running_when_samepid_and_two_different_pids",
        None,
    ),
    ("test_pid_default_term_signal", SIGNALS),
    ("test_pid_ignore_term_signal", SIGNALS),
    ("test_pid_custom_term_signal", SIGNALS),
    ("test_double_close_race_condition", None),
    ("test_pid_contextdecorator", None),
    ("test_pid_contextdecorator_already_locked", None),
    ("test_register_atexit_false", ATEXIT),
    ("test_register_atexit_true", ATEXIT),
];

const WINDOWS: Option<&str> = Some("about Windows");
const SIGNALS: Option<&str> = Some("about signals");
const ATEXIT: Option<&str> = Some("about atexit");

#[test]
fn every_case_is_ported_or_excused() {
    let here = include_str!("python_pid_suite.rs");
    for (case, excuse) in CASES {
        let found = here.contains(&format!("\nfn {case}() {{"));
        assert_eq!(found, excuse.is_none(), "{case}: {excuse:?}");
    }
    let tests = here.matches("\n#[test]\nfn test_").count();
    assert_eq!(
        tests,
        CASES.iter().filter(|(_, excuse)| excuse.is_none()).count()
    );
}

/// A pidfile in the default directory with a name that no other test and no other run uses.
fn unique(test: &str) -> PidFile {
    PidFile::new(format!("{test}-{}", std::process::id()))
}

fn assert_gone(file: &PidFile) {
    let path = file.path().expect("resolve the path");
    assert!(!path.exists(), "{}", path.display());
}

fn assert_locked(result: Result<PidGuard, PidFileError>) {
    assert!(
        matches!(result, Err(PidFileError::AlreadyLocked { .. })),
        "{result:?}"
    );
}

fn holder(file: &PidFile) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command
        .arg("--at")
        .arg(file.path().expect("resolve the path"));
    command
}

#[test]
fn test_pid_class() {
    let file = PidFile::default();
    let guard = file.acquire().expect("acquire the pidfile");
    let program = std::env::args().next().expect("the path of the program");
    let program = std::path::Path::new(&program)
        .file_name()
        .expect("a file name")
        .to_string_lossy();
    assert!(
        guard.path().ends_with(format!("{program}.pid")),
        "{guard:?}"
    );
    guard.close().expect("release the pidfile");
    assert_gone(&file);
}

#[test]
fn test_pid_context_manager() {
    let file = unique("context_manager");
    {
        let guard = file.acquire().expect("acquire the pidfile");
        assert!(guard.path().exists());
    }
    assert_gone(&file);
}

#[test]
fn test_pid_pid() {
    let file = unique("pid");
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(text(guard.path()), format!("{}\n", std::process::id()));
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_custom_name() {
    let file = unique("testpidfile");
    let guard = file.acquire().expect("acquire the pidfile");
    let name = guard
        .path()
        .file_name()
        .expect("a file name")
        .to_string_lossy()
        .into_owned();
    assert!(
        name.starts_with("testpidfile-") && name.ends_with(".pid"),
        "{name}"
    );
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_enforce_dotpid_postfix() {
    let file = unique("postfix").suffix(false);
    let guard = file.acquire().expect("acquire the pidfile");
    assert!(guard.path().extension().is_none(), "{guard:?}");
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_force_tmpdir() {
    let file = unique("force_tmpdir").temp_dir(true);
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(guard.path().parent(), Some(std::env::temp_dir().as_path()));
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_custom_dir() {
    let dir = tempfile::tempdir().expect("create a directory");
    let file = PidFile::new("app").dir(dir.path().join("testpidfile.dir"));
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(guard.path(), dir.path().join("testpidfile.dir/app.pid"));
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_piddir_exists_as_file() {
    let tmpfile = tempfile::NamedTempFile::new().expect("create a file");
    let error = PidFile::new("app")
        .dir(tmpfile.path())
        .acquire()
        .expect_err("the directory is a file");
    assert!(matches!(error, PidFileError::Io { .. }), "{error}");
}

#[test]
fn test_pid_chmod() {
    let file = unique("chmod").mode(0o600);
    let guard = file.acquire().expect("acquire the pidfile");
    let metadata = fs::metadata(guard.path()).expect("read the metadata");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_already_locked() {
    let file = unique("already_locked");
    let guard = file.acquire().expect("acquire the pidfile");
    assert_locked(file.acquire());
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_already_locked_custom_name() {
    let dir = tempfile::tempdir().expect("create a directory");
    let named = || PidFile::new("testpidfile").dir(dir.path());
    let guard = named().acquire().expect("acquire the pidfile");
    assert_locked(named().acquire());
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&named());
}

#[test]
fn test_pid_already_locked_multi_process() {
    let file = unique("multi_process");
    let guard = file.acquire().expect("acquire the pidfile");
    let mut other = Program::start(&mut holder(&file));
    assert!(
        other
            .line()
            .ends_with(&format!("already locked by PID {}", guard.pid()))
    );
    assert_eq!(other.wait().code(), Some(3));
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_two_locks_multi_process() {
    let (file, other_file) = (unique("two_locks"), unique("two_locks_other"));
    let guard = file.acquire().expect("acquire the pidfile");
    let mut other = Program::start(&mut holder(&other_file));
    assert!(other.line().starts_with("held "));
    assert!(other_file.path().expect("resolve the path").exists());
    assert_eq!(other.finish().1, "closed\n");
    assert_gone(&other_file);
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_already_running() {
    let file = unique("already_running").lock(false);
    let guard = file.acquire().expect("acquire the pidfile");
    assert_locked(file.acquire());
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_already_running_custom_name() {
    let dir = tempfile::tempdir().expect("create a directory");
    let named = || PidFile::new("testpidfile").dir(dir.path()).lock(false);
    let guard = named().acquire().expect("acquire the pidfile");
    assert_locked(named().acquire());
    assert!(guard.path().exists());
    drop(guard);
    assert_gone(&named());
}

#[test]
fn test_pid_already_running_exception_has_pid_value() {
    let file = unique("has_pid_value").lock(false);
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(
        file.acquire().expect_err("the pidfile is held").pid(),
        Some(std::process::id())
    );
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_decorator() {
    #[pidfile(name = "decorator-{process}")]
    fn decorated(process: u32) -> Result<(), PidFileError> {
        let file = PidFile::new(format!("decorator-{process}"));
        assert_eq!(file.status().expect("read the status"), Status::HeldBySelf);
        Ok(())
    }
    decorated(std::process::id()).expect("acquire the pidfile");
    assert_gone(&unique("decorator"));
}

#[test]
fn test_pid_decorator_already_locked() {
    #[pidfile(name = "testpiddecorator-{process}")]
    fn decorated(process: u32) -> Result<(), PidFileError> {
        #[pidfile(name = "testpiddecorator-{process}")]
        fn decorated2(process: u32) -> Result<(), PidFileError> {
            unreachable!("process {process} already holds the pidfile")
        }
        assert_locked(decorated2(process).map(|()| unreachable!()));
        Ok(())
    }
    decorated(std::process::id()).expect("acquire the pidfile");
    assert_gone(&unique("testpiddecorator"));
}

/// Python removes the file although its descriptor was closed elsewhere in the program. pidlock
/// does not, because the lock is lost and the file can belong to another process. It also does not
/// close the file that reuses the descriptor. The next start takes the pidfile over.
#[test]
fn test_pid_already_closed() {
    let file = unique("already_closed");
    let mut other = Program::start(holder(&file).args(["--then", "lose"]));
    assert!(other.line().starts_with("held "));
    assert!(
        other
            .line()
            .starts_with("unsound: cannot use the lock of pidfile")
    );
    let (status, said) = other.finish();
    assert!(
        said.starts_with("closed, but cannot use the lock of pidfile"),
        "{said}"
    );
    assert!(
        said.contains("its descriptor was closed elsewhere in the program"),
        "{said}"
    );
    assert!(said.ends_with("and the other file is whole\n"), "{said}");
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        text(&file.path().expect("resolve the path")),
        format!("{}\n", other.pid())
    );
    file.acquire()
        .expect("acquire the stale pidfile")
        .close()
        .expect("release the pidfile");
    assert_gone(&file);
}

#[test]
fn test_pid_multiplecreate() {
    let file = unique("multiplecreate");
    let guard = file.acquire().expect("acquire the pidfile");
    assert_locked(file.acquire());
    guard.close().expect("release the pidfile");
    assert_gone(&file);
}

#[test]
fn test_pid_gid() {
    let gid = rustix::process::getegid().as_raw();
    let file = unique("gid").gid(gid);
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(
        fs::metadata(guard.path()).expect("read the metadata").gid(),
        gid
    );
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_check_const_empty() {
    let file = unique("check_empty");
    let path = file.path().expect("resolve the path");
    fs::write(&path, "\n").expect("write a blank file");
    assert_eq!(file.status().expect("read the status"), Status::Empty);
    assert_eq!(text(&path), "\n", "reading the status changes nothing");
    fs::remove_file(path).expect("remove the file");
}

#[test]
fn test_pid_check_const_nofile() {
    assert_eq!(
        unique("check_nofile").status().expect("read the status"),
        Status::NoFile
    );
}

#[test]
fn test_pid_check_const_samepid() {
    let file = unique("check_samepid").reentrant(true);
    let guard = file.acquire().expect("acquire the pidfile");
    assert_eq!(file.status().expect("read the status"), Status::HeldBySelf);
    drop(guard);
    assert_gone(&file);
}

#[test]
fn test_pid_check_const_notrunning() {
    let file = unique("check_notrunning");
    let path = file.path().expect("resolve the path");
    fs::write(&path, format!("{NONEXISTENT_PID}\n")).expect("write a stale file");
    let status = file.status().expect("read the status");
    assert!(
        matches!(
            status,
            Status::Stale {
                pid: NONEXISTENT_PID
            }
        ),
        "{status:?}"
    );
    fs::remove_file(path).expect("remove the file");
}

/// Python raises an exception; pidlock returns a status.
#[test]
fn test_pid_check_already_running() {
    let file = unique("check_already_running");
    let mut other = Program::start(&mut holder(&file));
    assert!(other.line().starts_with("held "));
    let status = file.status().expect("read the status");
    assert!(
        matches!(status, Status::Locked { pid: Some(pid) } if pid == other.pid()),
        "{status:?}"
    );
    other.finish();
    assert_gone(&file);
}

#[test]
fn test_pid_check_samepid_with_blocks() {
    let file = unique("samepid_with_blocks").reentrant(true);
    {
        let _outer = file.acquire().expect("acquire the pidfile");
        {
            let _inner = file.clone().acquire().expect("acquire another handle");
        }
        assert!(
            file.path().expect("resolve the path").exists(),
            "the outer guard still holds the pidfile"
        );
    }
    assert_gone(&file);
}

#[test]
fn test_pid_check_samepid() {
    let file = unique("samepid").reentrant(true);
    let first = file.acquire().expect("acquire the pidfile");
    let second = file.acquire().expect("acquire another handle");
    drop((first, second));
    assert_gone(&file);
}

/// Runs with a lock, as in Python, and without: no handle shares a file of another process.
#[test]
fn test_pid_raises_already_running_when_samepid_and_two_different_pids() {
    for lock in [true, false] {
        let file = unique("two_different_pids").lock(lock).reentrant(true);
        let mut other = holder(&file);
        let mut other = Program::start(if lock {
            &mut other
        } else {
            other.arg("--no-lock")
        });
        assert!(other.line().starts_with("held "));
        let error = file.acquire().expect_err("another process holds the file");
        assert!(error.is_contention(), "{error}");
        assert_eq!(error.pid(), Some(other.pid()));
        other.finish();
        assert_gone(&file);
    }
}

/// A second `close` does not compile, because the first one consumes the guard. The rest of the
/// case is that releasing one guard does not affect the next.
#[test]
fn test_double_close_race_condition() {
    let file = unique("double_close");
    let first = file.acquire().expect("acquire the pidfile");
    first.close().expect("release the pidfile");
    assert_gone(&file);
    let second = file.acquire().expect("acquire the pidfile");
    second.verify().expect("the pidfile is held");
    second.close().expect("release the pidfile");
    assert_gone(&file);
}

#[test]
fn test_pid_contextdecorator() {
    fn decorated_function(file: &PidFile) -> Result<(), PidFileError> {
        let _guard = file.acquire()?;
        Ok(())
    }
    let file = unique("contextdecorator");
    decorated_function(&file).expect("acquire the pidfile");
    assert_gone(&file);
}

#[test]
fn test_pid_contextdecorator_already_locked() {
    fn decorated_function(file: &PidFile, inner: impl FnOnce()) -> Result<(), PidFileError> {
        let _guard = file.acquire()?;
        inner();
        Ok(())
    }
    let file = unique("contextdecorator_locked");
    decorated_function(&file, || {
        let error = decorated_function(&file, || unreachable!("the pidfile is held"))
            .expect_err("the pidfile is held");
        assert!(
            matches!(error, PidFileError::AlreadyLocked { .. }),
            "{error}"
        );
    })
    .expect("acquire the pidfile");
    assert_gone(&file);
}
