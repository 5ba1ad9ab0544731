//! What is particular to files on Windows.

#![cfg(windows)]

use std::fs::{self, File};
use std::os::windows::fs::{MetadataExt, OpenOptionsExt, symlink_dir};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_portable::{NONEXISTENT_PID, TempDir, is_beyond_wine, is_wine, lock_whole};

const SHARE_READ: u32 = 1;
const SHARE_WRITE: u32 = 2;
const SHARE_ALL: u32 = 7;

fn stale_file(path: &Path) {
    fs::write(path, format!("{NONEXISTENT_PID}\n")).expect("write a stale file");
}

fn open_sharing(path: &Path, share: u32) -> File {
    let mut options = File::options();
    options
        .read(true)
        .share_mode(share)
        .open(path)
        .expect("open")
}

/// Runs an operation on a stale file while another handle of the file is open, which is closed after 30 ms.
fn outlast<T>(path: &Path, share: u32, operation: impl FnOnce() -> Result<T, PidFileError>) -> T {
    stale_file(path);
    let (opened, is_open) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _open = open_sharing(path, share);
            opened.send(()).expect("tell that it is open");
            thread::sleep(Duration::from_millis(30));
        });
        is_open.recv().expect("it is open");
        operation().expect("the operation outlasts it")
    })
}

#[test]
fn start_outlasts_a_program_that_shares_no_writing() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let guard = outlast(&path, SHARE_READ, || PidFile::at(&path).acquire());
    guard.close().expect("release");
}

#[test]
fn start_without_locks_takes_over_a_file_that_is_open() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let file = PidFile::at(&path).lock(false);
    let guard = outlast(&path, SHARE_ALL, || file.acquire());
    guard.close().expect("release");
}

#[test]
fn start_without_locks_outlasts_a_program_that_has_a_leftover_open() {
    let dir = TempDir::new();
    let file = PidFile::at(dir.path("app.pid")).lock(false);
    let leftover = dir.path(&format!(".app.pid.{}-0.pidlock", std::process::id()));
    let guard = outlast(&leftover, SHARE_READ | SHARE_WRITE, || {
        fs::write(&leftover, "").expect("empty the leftover");
        file.acquire()
    });
    guard.close().expect("release");
}

#[test]
fn status_and_holder_outlast_a_program_that_shares_nothing() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let (file, pid) = (PidFile::at(&path), NONEXISTENT_PID);
    assert_eq!(outlast(&path, 0, || file.status()), Status::Stale { pid });
    assert!(outlast(&path, 0, || file.holder()).is_none());
}

#[test]
fn file_that_stays_open_without_sharing_is_an_error_after_a_second() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    stale_file(&path);
    let _open = open_sharing(&path, 0);
    let file = PidFile::at(&path);
    for operation in [
        &|| file.acquire().map(drop),
        &|| file.status().map(drop),
        &|| file.holder().map(drop),
    ] as [&dyn Fn() -> Result<(), PidFileError>; 3]
    {
        let start = Instant::now();
        let error = operation().expect_err("it stays open");
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert!(matches!(error, PidFileError::Io { .. }), "{error}");
        let message = error.to_string();
        let words = format!("cannot open pidfile '{}': ", path.display());
        assert!(message.starts_with(&words), "{message}");
        assert!(message.ends_with("(os error 32)"), "{message}");
    }
}

#[test]
fn directory_that_is_not_writable_is_an_error_at_once() {
    let dir = TempDir::new();
    deny_writing(&dir);
    let file = PidFile::at(dir.path("app.pid"));
    for lock in [true, false] {
        let start = Instant::now();
        let error = file.clone().lock(lock).acquire().expect_err("it is denied");
        assert!(start.elapsed() < Duration::from_secs(1), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("is not writable by this user"),
            "{message}"
        );
        assert!(message.ends_with("(os error 5)"), "{message}");
    }
    assert_eq!(file.status().expect("check"), Status::NoFile);
}

/// Denies all users to create files in the directory.
fn deny_writing(dir: &TempDir) {
    let dir = dir.path("");
    if !is_wine() {
        let mut icacls = Command::new("icacls.exe");
        let status = icacls.arg(&dir).args(["/deny", "*S-1-1-0:(WD)"]).status();
        return assert!(status.expect("run icacls").success());
    }
    // Wine's `icacls` does nothing. It starts programs of the host, but returns no handle to wait for them.
    let mut chmod = Command::new(r"Z:\bin\chmod");
    let _ = chmod.args(["a-w", "."]).current_dir(&dir).spawn();
    let is_denied = || fs::metadata(&dir).is_ok_and(|it| it.permissions().readonly());
    let start = Instant::now();
    while !is_denied() {
        assert!(start.elapsed() < Duration::from_secs(30), "chmod runs");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn start_outlasts_the_removal_of_a_file() {
    const DELETE: u32 = 0x0001_0000;
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    if is_beyond_wine("file about to be removed") {
        return;
    }
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let guard = outlast(&path, SHARE_ALL, || {
        let mut options = File::options();
        options.access_mode(DELETE).custom_flags(DELETE_ON_CLOSE);
        drop(options.open(&path).expect("open"));
        // The name stays until the other handle is closed.
        PidFile::at(&path).acquire()
    });
    guard.close().expect("release");
}

#[test]
fn reader_that_shares_no_deletion_does_not_matter() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let guard = PidFile::at(&path).acquire().expect("acquire");
    let reader = open_sharing(&path, SHARE_READ | SHARE_WRITE);
    guard
        .close()
        .expect("the file is emptied, if it cannot be removed");
    drop(reader);
    let left = PidFile::at(&path).status().expect("check");
    assert!([Status::Empty, Status::NoFile].contains(&left), "{left}");
    let guard = PidFile::at(&path).acquire().expect("acquire again");
    guard.close().expect("release");
}

#[test]
fn program_that_locks_the_whole_file_is_an_unknown_holder() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    stale_file(&path);
    let locked = open_sharing(&path, SHARE_ALL);
    lock_whole(&locked);
    let file = PidFile::at(&path);
    assert_eq!(file.status().expect("check"), Status::Locked { pid: None });
    let refused = file.acquire().expect_err("it is locked");
    assert!(
        matches!(refused, PidFileError::AlreadyLocked { pid: None, .. }),
        "{refused}"
    );
    drop(locked);
    file.acquire().expect("take over").close().expect("release");
}

#[test]
fn names_that_windows_does_not_keep_are_refused() {
    let dir = TempDir::new();
    let long = "a".repeat(256);
    let reserved =
        ["CON", "com1", "aux.txt", "nul", "LPT9"].map(|name| (name, "is reserved for a device"));
    let ends = ["app.", "app "].map(|name| (name, "ends in a dot or a space"));
    let others = [
        ("a*b", "contains a character not allowed"),
        ("a:b", "contains a character not allowed"),
        (&long, "is longer than 255 characters"),
    ];
    for (name, problem) in reserved.into_iter().chain(ends).chain(others) {
        for file in [
            PidFile::new(name).dir(dir.path("")),
            PidFile::new(name).dir(dir.path("")).suffix(false),
            PidFile::at(dir.path(name)),
        ] {
            for error in [
                file.acquire().expect_err("the name is refused"),
                file.clone()
                    .lock(false)
                    .acquire()
                    .expect_err("the name is refused"),
                file.status().expect_err("the name is refused"),
            ] {
                assert!(
                    matches!(error, PidFileError::Configuration { .. }),
                    "{error}"
                );
                assert!(error.to_string().contains(problem), "{error}");
            }
        }
    }
    for (path, problem) in [
        (r"..\x\", "does not name a file"),
        (r"..\x\.", "does not name a file"),
        ("x/", "does not name a file"),
        ("a:b.pid", "not allowed"),
        ("app.pid::$DATA", "not allowed"),
    ] {
        let error = PidFile::at(path)
            .acquire()
            .expect_err("the path is refused");
        assert!(
            matches!(error, PidFileError::Configuration { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(problem), "{error}");
    }
    let left = fs::read_dir(dir.path("")).expect("list the directory");
    assert_eq!(left.count(), 0);
}

#[test]
fn stale_file_with_another_name_is_replaced() {
    let dir = TempDir::new();
    let [path, other] = ["app.pid", "document"].map(|name| dir.path(name));
    stale_file(&path);
    fs::hard_link(&path, &other).expect("link");
    let guard = PidFile::at(&path).acquire().expect("take over");
    let text = fs::read_to_string(&other).expect("read the other name");
    assert_eq!(text, format!("{NONEXISTENT_PID}\n"));
    guard.close().expect("release");
}

#[test]
fn directory_in_the_place_of_the_file_is_refused() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    fs::create_dir(&path).expect("create a directory");
    for lock in [true, false] {
        let file = PidFile::at(&path).lock(lock);
        for error in [
            file.acquire().expect_err("it is a directory"),
            file.status().expect_err("it is a directory"),
        ] {
            assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
            assert!(error.to_string().contains("is a directory"), "{error}");
        }
    }
}

#[test]
fn file_in_the_place_of_a_directory_is_refused_at_once() {
    let dir = TempDir::new();
    fs::write(dir.path("file"), "text").expect("write");
    let start = Instant::now();
    for place in ["file", r"file\below"] {
        for lock in [true, false] {
            let refused = PidFile::new("a").dir(dir.path(place)).lock(lock).acquire();
            let error = refused.expect_err("there is no directory");
            let words = format!("'{}' is not a directory", dir.path(place).display());
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn link_to_nothing_in_the_place_of_a_directory_is_refused_at_once() {
    let dir = TempDir::new();
    let link = dir.path("link");
    if is_beyond_wine("link to nothing") {
        return;
    }
    symlink_dir(dir.path("nothing"), &link).expect("create a link, which needs the developer mode");
    let refused = PidFile::new("a").dir(&link).acquire();
    let error = refused.expect_err("there is no directory");
    assert!(
        error.to_string().contains("is a link to nothing"),
        "{error}"
    );
}

#[test]
fn junction_in_the_place_of_the_file_is_refused() {
    if is_beyond_wine("junction") {
        return;
    }
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut mklink = Command::new("cmd.exe");
    mklink
        .args(["/c", "mklink", "/j"])
        .arg(&path)
        .arg(dir.path(""));
    assert!(mklink.output().expect("run mklink").status.success());
    let file = PidFile::at(&path);
    for error in [
        file.acquire().expect_err("it is a link"),
        file.status().expect_err("it is a link"),
    ] {
        assert!(error.to_string().contains("is a symbolic link"), "{error}");
    }
}

#[test]
fn locked_file_bears_the_mark() {
    const TEMPORARY: u32 = 0x100;
    if is_beyond_wine("mark of a locked file") {
        return;
    }
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    for (lock, mark) in [(true, TEMPORARY), (false, 0)] {
        let guard = PidFile::at(&path).lock(lock).acquire().expect("acquire");
        let attributes = path.metadata().expect("inspect").file_attributes();
        assert_eq!(attributes & TEMPORARY, mark);
        guard.close().expect("release");
    }
}
