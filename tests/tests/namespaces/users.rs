//! User namespaces, where files of unmapped users appear to belong to the overflow uid.

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
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    for (arguments, lock) in [(&[][..], true), (&["--no-lock"], false)] {
        let mut inside = holder_within(&USER, &path, arguments);
        assert_held(&mut inside);
        let error = PidFile::at(&path)
            .lock(lock)
            .acquire()
            .expect_err("the file is held");
        assert!(error.is_contention() && error.pid().is_some(), "{error}");
        inside.finish();
        assert!(!path.exists());

        let guard = PidFile::at(&path).lock(lock).acquire().expect("acquire");
        let pid = guard.pid().to_string();
        assert_refused(&mut holder_within(&USER, &path, arguments), &pid);
        guard.close().expect("release");
    }
}

#[test]
fn start_that_sets_an_unmapped_owner_fails_and_leaves_no_file() {
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    for flag in ["--uid", "--gid"] {
        for arguments in [&[flag, "12345"][..], &[flag, "12345", "--no-lock"]] {
            let mut inside = holder_within(&USER, &path, arguments);
            assert_refused(&mut inside, "cannot change the owner or mode of pidfile");
            inside.finish();
            assert_eq!(
                fs::read_dir(dir.path())
                    .expect("read the directory")
                    .count(),
                0
            );
        }
    }
}

/// Creates a file of another user, which all users can write, in a directory where all users can
/// create files.
fn put_others_file(path: &Path, contents: &str) {
    let directory = path.parent().expect("the parent directory");
    fs::set_permissions(directory, Permissions::from_mode(0o1777)).expect("set the mode");
    fs::write(path, contents).expect("write the file");
    fs::set_permissions(path, Permissions::from_mode(0o666)).expect("set the mode");
    chown(path, Some(12), None).expect("set the owner");
}

#[test]
fn stale_file_of_an_unmapped_user_is_replaced_where_it_can_be_removed() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    for contents in [String::new(), stale_record()] {
        for arguments in [&[][..], &["--no-lock"]] {
            put_others_file(&path, &contents);
            let theirs = File::open(&path).expect("open the other user's file");
            let mut inside = holder_within(&USER, &path, arguments);
            assert_held(&mut inside);
            assert_eq!(fs::metadata(&path).expect("the file exists").uid(), 0);
            assert_eq!(
                io::read_to_string(&theirs).expect("read the other user's file"),
                contents
            );
            assert_eq!(theirs.metadata().expect("the file is open").uid(), 12);
            inside.finish();
            assert!(!path.exists());
        }
    }
}

/// The directory is sticky, so other users cannot remove the file. Write permission on it is not
/// enough to take it over. Inside the user namespace, the file's owner appears to be uid 65534, the
/// overflow uid.
#[test]
fn stale_file_of_an_unmapped_user_is_left_where_it_cannot_be_removed() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    if !can_unshare(&USER) {
        return;
    }
    let dir = tempfile::tempdir().expect("create a directory");
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
            assert_eq!(fs::metadata(&path).expect("the file exists").uid(), 12);
        }
    }
    fs::remove_file(&path).expect("remove the file");
    let mut alone = Program::start(holder(&path).args(remapped));
    assert_held(&mut alone);
}
