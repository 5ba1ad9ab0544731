//! Paths that lead elsewhere than they look.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
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
    let before = names(real);
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

/// Who may write there is asked of the directory that the link leads to.
#[test]
fn a_link_to_a_directory_makes_it_no_more_trusted_and_no_less() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let shared = tempfile::tempdir().expect("a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("a mode");
    let theirs = shared.path().join("app.pid");
    fs::write(&theirs, stale_record()).expect("a stale file");
    chown(&theirs, Some(ORDINARY_UID), None).expect("another owner");
    let link = dir.path().join("link");
    symlink(shared.path(), &link).expect("a link");
    for lock in [true, false] {
        let file = PidFile::at(link.join("app.pid")).lock(lock);
        let error = file.acquire().expect_err("another user's file");
        assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
    }
    assert_eq!(text(&theirs), stale_record());
    // And no less: where only root may write, root has put it there.
    fs::set_permissions(shared.path(), Permissions::from_mode(0o755)).expect("a mode");
    let guard = PidFile::at(link.join("app.pid")).acquire();
    guard.expect("a start").close().expect("an end");
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
