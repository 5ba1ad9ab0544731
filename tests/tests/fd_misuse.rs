//! Programs that lose the pidfile's file descriptor, fork while another thread acquires, or run out
//! of descriptors. They must not damage the lock, other files or other starts.

use std::fs;
use std::path::Path;
use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::{Program, text};

fn fd_misuse(what: &str, path: &Path) -> Program {
    Program::start(
        Command::new(env!("CARGO_BIN_EXE_fd_misuse"))
            .arg(what)
            .arg(path),
    )
}

#[test]
fn guard_that_lost_its_descriptor_leaves_a_later_hold_alone() {
    for what in ["again", "share"] {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        let mut program = fd_misuse(what, &path);
        program.expect("held");
        assert_eq!(text(&path), format!("{}\n", program.pid()), "{what}");
        let error = PidFile::at(&path).acquire().expect_err("the file is held");
        assert_eq!(error.pid(), Some(program.pid()), "{what}: {error}");
        let (status, rest) = program.finish();
        assert!(status.success(), "{what}: {rest}");
        assert!(!path.exists(), "{what}");
    }
}

#[test]
fn reentrant_guards_with_closed_fd_touch_nothing() {
    let dir = tempfile::tempdir().expect("create a directory");
    let mut program = fd_misuse("many", &dir.path().join("app.pid"));
    program.expect("left nothing");
    assert!(program.wait().success());
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("read the directory")
            .count(),
        0
    );
}

#[test]
fn file_that_reuses_descriptor_and_inode_is_neither_emptied_nor_closed() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut program = fd_misuse("other", &path);
    program.expect("precious data");
    assert!(program.wait().success());
    assert_eq!(text(&path), "precious data\n");
}

/// A pidfile with the descriptor of a closed standard output would contain the output of the
/// program, and later starts could not parse it.
#[test]
fn output_to_closed_standard_descriptors_is_not_written_to_pidfiles() {
    let dir = tempfile::tempdir().expect("create a directory");
    let mut program = fd_misuse("silent", &dir.path().join("app.pid"));
    program.expect("held");
    for n in ["0", "1", "2"] {
        let path = dir.path().join("app").with_extension(n);
        assert_eq!(text(&path), format!("{}\n", program.pid()));
    }
    let (status, rest) = program.finish();
    assert!(status.success(), "{rest}");
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("read the directory")
            .count(),
        0
    );
}

/// `fd_misuse` forks children while its other threads check or try to acquire a file that contains
/// `text`. The test then empties the file, which must be free although the children live.
fn assert_no_lock_is_left_with_children(what: &str, text: &str) {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    fs::write(&path, text).expect("write the file");
    let mut program = fd_misuse(what, &path);
    program.expect("forked");
    fs::write(&path, "").expect("empty the file");
    PidFile::at(&path)
        .acquire()
        .expect("no child holds the lock")
        .close()
        .expect("release");
    program.finish();
}

#[test]
fn children_forked_during_a_status_check_hold_no_lock() {
    assert_no_lock_is_left_with_children("look", "");
}

#[test]
fn children_forked_during_a_refused_start_hold_no_lock() {
    assert_no_lock_is_left_with_children("refused", "no PID");
}

#[test]
fn wait_leaves_descriptors_alone_that_took_the_place_of_its_own() {
    let dir = tempfile::tempdir().expect("create a directory");
    let mut program = fd_misuse("spare", &dir.path().join("app.pid"));
    program.expect("left them alone");
    assert!(program.wait().success());
}

#[test]
fn emfile_is_reported() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut program = fd_misuse("full", &path);
    let words = program.line();
    assert!(
        words.starts_with("cannot open pidfile '") && words.contains("(os error 24)"),
        "{words}"
    );
    assert!(!path.exists());
}

/// A program that continues after a refused start can install its own handlers later, and some
/// libraries refuse to replace a handler.
#[test]
fn refused_start_installs_no_signal_handlers() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let _guard = PidFile::at(&path).acquire().expect("acquire");
    fd_misuse("pass", &path).expect("handles 0");
}
