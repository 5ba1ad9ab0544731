//! Programs that lose the pidfile's descriptor, fork at the wrong moment, or have none left: the
//! lock, other files and other starts do not suffer.

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
fn a_guard_that_lost_its_descriptor_does_not_take_a_later_one_for_its_own() {
    for what in ["again", "share"] {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");
        let mut program = fd_misuse(what, &path);
        program.expect("held");
        assert_eq!(text(&path), format!("{}\n", program.pid()), "{what}");
        let error = PidFile::at(&path).acquire().expect_err("held");
        assert_eq!(error.pid(), Some(program.pid()), "{what}: {error}");
        let (status, rest) = program.finish();
        assert!(status.success(), "{what}: {rest}");
        assert!(!path.exists(), "{what}");
    }
}

#[test]
fn reentrant_guards_with_closed_fd_touch_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut program = fd_misuse("many", &dir.path().join("app.pid"));
    program.expect("left nothing");
    assert!(program.wait().success());
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

#[test]
fn a_file_that_got_the_descriptor_and_the_inode_is_neither_emptied_nor_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut program = fd_misuse("other", &path);
    program.expect("precious data");
    assert!(program.wait().success());
    assert_eq!(text(&path), "precious data\n");
}

/// A pidfile that has the number of a closed standard output would take what is printed, and no next
/// start could read it.
#[test]
fn what_is_printed_to_closed_descriptors_does_not_land_in_pidfiles() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut program = fd_misuse("silent", &dir.path().join("app.pid"));
    program.expect("held");
    for n in ["0", "1", "2"] {
        let path = dir.path().join("app").with_extension(n);
        assert_eq!(text(&path), format!("{}\n", program.pid()));
    }
    let (status, rest) = program.finish();
    assert!(status.success(), "{rest}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

/// The file holds something at first, which makes the looks or refusals, and then nothing.
fn assert_no_lock_is_left_with_children(what: &str, text: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    fs::write(&path, text).expect("a file");
    let mut program = fd_misuse(what, &path);
    program.expect("forked");
    fs::write(&path, "").expect("an empty file");
    PidFile::at(&path)
        .acquire()
        .expect("nobody holds it")
        .close()
        .expect("an end");
    program.finish();
}

#[test]
fn looks_leave_no_lock_with_children_that_are_forked_meanwhile() {
    assert_no_lock_is_left_with_children("look", "");
}

#[test]
fn refusals_leave_no_lock_with_children_that_are_forked_meanwhile() {
    assert_no_lock_is_left_with_children("refused", "no PID");
}

#[test]
fn emfile_is_reported() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut program = fd_misuse("full", &path);
    let words = program.line();
    assert!(
        words.starts_with("cannot open pidfile '") && words.contains("(os error 24)"),
        "{words}"
    );
    assert!(!path.exists());
}

/// A program that is refused and goes on may still want to be the first to handle a signal.
#[test]
fn who_is_refused_is_left_with_the_signal_handlers_it_had() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let _guard = PidFile::at(&path).acquire().expect("a start");
    fd_misuse("pass", &path).expect("handles 0");
}
