//! Paths with symbolic links and `..` components.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::protected_files::ProtectedFiles;
use pidlock_tests::{ORDINARY_UID, is_root, skip_for_this_user, stale_record, text};

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("read the directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("read an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Asserts that a start at `path` holds a file in `real`, the directory to which the kernel
/// resolves the path, and that the release removes it.
fn assert_held_in(real: &Path, path: &Path, lock: bool) {
    let mut before = names(real);
    before.retain(|name| name != "app.pid");
    let guard = PidFile::at(path)
        .lock(lock)
        .acquire()
        .expect("acquire the file");
    assert_eq!(
        text(&real.join("app.pid")),
        format!("{}\n", std::process::id())
    );
    let direct = PidFile::at(real.join("app.pid")).lock(lock);
    let error = direct
        .acquire()
        .expect_err("the file is held, whichever path names it");
    assert!(error.is_contention(), "{error}");
    guard.verify().expect("the file is held");
    guard.close().expect("release the file");
    assert_eq!(names(real), before);
}

#[test]
fn parent_that_is_a_symlink_is_followed() {
    let dir = tempfile::tempdir().expect("create a directory");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).expect("create a directory");
    symlink(&real, &link).expect("create a link");
    for lock in [true, false] {
        assert_held_in(&real, &link.join("app.pid"), lock);
        assert_eq!(names(dir.path()), ["link", "real"]);
        assert_eq!(fs::read_link(&link).expect("read the link"), real);
    }
}

#[test]
fn parent_that_is_a_dangling_symlink_is_not_created() {
    let victims = ProtectedFiles::new();
    let dir = tempfile::tempdir().expect("create a directory");
    let link = dir.path().join("link");
    symlink(victims.path().join("nothing"), &link).expect("create a link");
    for lock in [true, false] {
        for below in [link.clone(), link.join("sub")] {
            let file = PidFile::new("app").dir(&below).lock(lock);
            let error = file.acquire().expect_err("the directory does not exist");
            assert!(matches!(error, PidFileError::Io { .. }), "{error}");
        }
    }
    assert_eq!(victims.harmed(), 0);
    assert_eq!(names(dir.path()), ["link"]);
}

#[test]
fn stale_file_of_another_user_is_replaced_through_a_symlink_to_its_directory() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let shared = tempfile::tempdir().expect("create a directory");
    let link = dir.path().join("link");
    symlink(shared.path(), &link).expect("create a link");
    for mode in [0o1777, 0o755] {
        fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("set the mode");
        for lock in [true, false] {
            let path = shared.path().join("app.pid");
            fs::write(&path, stale_record()).expect("write a stale file");
            chown(&path, Some(ORDINARY_UID), None).expect("change the owner");
            let theirs = File::open(&path).expect("open the file");
            assert_held_in(shared.path(), &link.join("app.pid"), lock);
            assert_eq!(
                io::read_to_string(&theirs).expect("read the file"),
                stale_record()
            );
            let owner = theirs.metadata().expect("inspect the file").uid();
            assert_eq!(owner, ORDINARY_UID);
            assert_eq!(names(dir.path()), ["link"]);
        }
    }
}

#[test]
fn dot_dot_in_a_path_is_resolved_as_by_the_kernel() {
    let dir = tempfile::tempdir().expect("create a directory");
    let elsewhere = tempfile::tempdir().expect("create a directory");
    let (sub, link) = (dir.path().join("sub"), dir.path().join("link"));
    fs::create_dir(&sub).expect("create a directory");
    fs::create_dir(elsewhere.path().join("deep")).expect("create a directory");
    symlink(elsewhere.path().join("deep"), &link).expect("create a link");
    for lock in [true, false] {
        assert_held_in(dir.path(), &sub.join("../app.pid"), lock);
        // After a symbolic link, `..` is the parent of the link's target.
        assert_held_in(elsewhere.path(), &link.join("../app.pid"), lock);
        assert_eq!(names(dir.path()), ["link", "sub"]);
    }
}
