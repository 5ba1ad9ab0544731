//! User namespaces, where other users' files seem to be nobody's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use pidlock_core::PidFile;
use pidlock_tests::rerun_in_namespace::can_unshare;
use pidlock_tests::{ORDINARY_UID, Program, is_root, skip_for_this_user, stale_record, text};

use super::{assert_held, assert_refused, holder, holder_within};

const USER: [&str; 2] = ["--user", "--map-root-user"];

#[test]
fn root_of_a_user_namespace_and_the_user_outside_exclude_each_other() {
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for (arguments, lock) in [(&[][..], true), (&["--no-lock"], false)] {
        let mut inside = holder_within(&USER, &path, arguments);
        assert_held(&mut inside);
        let error = PidFile::at(&path).lock(lock).acquire().expect_err("held");
        assert!(error.is_contention() && error.pid().is_some(), "{error}");
        inside.finish();
        assert!(!path.exists());

        let guard = PidFile::at(&path).lock(lock).acquire().expect("a start");
        let pid = guard.pid().to_string();
        assert_refused(&mut holder_within(&USER, &path, arguments), &pid);
        guard.close().expect("an end");
    }
}

#[test]
fn an_owner_who_is_not_mapped_cannot_be_given_the_file() {
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for flag in ["--uid", "--gid"] {
        for arguments in [&[flag, "12345"][..], &[flag, "12345", "--no-lock"]] {
            let mut inside = holder_within(&USER, &path, arguments);
            assert_refused(&mut inside, "cannot change the owner of pidfile");
            inside.finish();
            assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
        }
    }
}

/// Puts a file of another user there, which everybody may write to, where everybody may make some.
fn put_others_file(path: &Path, contents: &str) {
    let directory = path.parent().expect("a directory");
    fs::set_permissions(directory, Permissions::from_mode(0o1777)).expect("a mode");
    fs::write(path, contents).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o666)).expect("a mode");
    chown(path, Some(12), None).expect("another owner");
}

#[test]
fn a_file_of_a_user_who_is_not_mapped_is_not_trusted() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    put_others_file(&path, &stale_record());
    for arguments in [&[][..], &["--no-lock"]] {
        let mut inside = holder_within(&USER, &path, arguments);
        assert_refused(&mut inside, "is not to be trusted");
        assert_eq!(text(&path), stale_record());
    }
}

/// Whoever has held a file is known, and not asked who he is each time. Where he is root of a user
/// namespace, everybody else bears the number that the usual `nobody` has outside.
#[test]
fn overflow_uid_is_not_cached() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let remapped = ["--remapped", &ORDINARY_UID.to_string()];
    for contents in [String::new(), stale_record()] {
        put_others_file(&path, &contents);
        let mut other = Program::start(holder(&path).args(remapped));
        assert_refused(&mut other, "is not to be trusted");
        assert_eq!(text(&path), contents);
    }
    fs::remove_file(&path).expect("removed");
    let mut alone = Program::start(holder(&path).args(remapped));
    assert_held(&mut alone);
}
