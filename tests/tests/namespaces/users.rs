//! User namespaces, where other users' files seem to be nobody's.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
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
            assert_refused(&mut inside, "cannot change the owner or mode of pidfile");
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
fn stale_file_of_an_unmapped_user_is_replaced_where_it_can_be_removed() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for contents in [String::new(), stale_record()] {
        for arguments in [&[][..], &["--no-lock"]] {
            put_others_file(&path, &contents);
            let theirs = File::open(&path).expect("their file");
            let mut inside = holder_within(&USER, &path, arguments);
            assert_held(&mut inside);
            assert_eq!(fs::metadata(&path).expect("the file").uid(), 0);
            assert_eq!(io::read_to_string(&theirs).expect("text"), contents);
            assert_eq!(theirs.metadata().expect("their file").uid(), 12);
            inside.finish();
            assert!(!path.exists());
        }
    }
}

/// Permission to write to it is not enough. To root of a user namespace, the owner of such a file
/// seems to be the uid that is `nobody` elsewhere.
#[test]
fn stale_file_of_an_unmapped_user_is_left_where_it_cannot_be_removed() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let remapped = ["--remapped", &ORDINARY_UID.to_string()];
    for contents in [String::new(), stale_record()] {
        for arguments in [&[][..], &["--no-lock"]] {
            put_others_file(&path, &contents);
            let mut other = Program::start(holder(&path).args(remapped).args(arguments));
            assert_refused(
                &mut other,
                "it belongs to uid 65534 and no process holds it",
            );
            assert_eq!(text(&path), contents);
            assert_eq!(fs::metadata(&path).expect("their file").uid(), 12);
        }
    }
    fs::remove_file(&path).expect("removed");
    let mut alone = Program::start(holder(&path).args(remapped));
    assert_held(&mut alone);
}
