//! Paths that lead elsewhere than they look.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::protected_files::ProtectedFiles;
use pidlock_tests::{ORDINARY_UID, is_root, skip_for_this_user, stale_record, text};

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// One file, where the path leads for the kernel, and gone at the end.
fn assert_held_in(real: &Path, path: &Path, lock: bool) {
    let mut before = names(real);
    before.retain(|name| name != "app.pid");
    let guard = PidFile::at(path).lock(lock).acquire().expect("a start");
    assert_eq!(
        text(&real.join("app.pid")),
        format!("{}\n", std::process::id())
    );
    let direct = PidFile::at(real.join("app.pid")).lock(lock);
    let error = direct.acquire().expect_err("held, by whatever path");
    assert!(error.is_contention(), "{error}");
    guard.verify().expect("held");
    guard.close().expect("an end");
    assert_eq!(names(real), before);
}

#[test]
fn a_parent_that_is_a_link_leads_where_it_leads() {
    let dir = tempfile::tempdir().expect("a directory");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).expect("a directory");
    symlink(&real, &link).expect("a link");
    for lock in [true, false] {
        assert_held_in(&real, &link.join("app.pid"), lock);
        assert_eq!(names(dir.path()), ["link", "real"]);
        assert_eq!(fs::read_link(&link).expect("still a link"), real);
    }
}

#[test]
fn a_parent_that_is_a_dangling_link_is_not_made() {
    let victims = ProtectedFiles::new();
    let dir = tempfile::tempdir().expect("a directory");
    let link = dir.path().join("link");
    symlink(victims.path().join("nothing"), &link).expect("a link");
    for lock in [true, false] {
        for below in [link.clone(), link.join("sub")] {
            let file = PidFile::new("app").dir(&below).lock(lock);
            let error = file.acquire().expect_err("no such directory");
            assert!(matches!(error, PidFileError::Io { .. }), "{error}");
        }
    }
    assert_eq!(victims.harmed(), 0);
    assert_eq!(names(dir.path()), ["link"]);
}

#[test]
fn stale_file_of_another_user_is_replaced_behind_a_link_to_its_directory() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let shared = tempfile::tempdir().expect("a directory");
    let link = dir.path().join("link");
    symlink(shared.path(), &link).expect("a link");
    for mode in [0o1777, 0o755] {
        fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
        for lock in [true, false] {
            let path = shared.path().join("app.pid");
            fs::write(&path, stale_record()).expect("a stale file");
            chown(&path, Some(ORDINARY_UID), None).expect("another owner");
            let theirs = File::open(&path).expect("their file");
            assert_held_in(shared.path(), &link.join("app.pid"), lock);
            assert_eq!(io::read_to_string(&theirs).expect("text"), stale_record());
            let owner = theirs.metadata().expect("their file").uid();
            assert_eq!(owner, ORDINARY_UID);
            assert_eq!(names(dir.path()), ["link"]);
        }
    }
}

#[test]
fn two_dots_lead_where_the_kernel_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let (sub, link) = (dir.path().join("sub"), dir.path().join("link"));
    fs::create_dir(&sub).expect("a directory");
    fs::create_dir(elsewhere.path().join("deep")).expect("a directory");
    symlink(elsewhere.path().join("deep"), &link).expect("a link");
    for lock in [true, false] {
        assert_held_in(dir.path(), &sub.join("../app.pid"), lock);
        // Behind a link it is the parent of where the link leads.
        assert_held_in(elsewhere.path(), &link.join("../app.pid"), lock);
        assert_eq!(names(dir.path()), ["link", "sub"]);
    }
}
