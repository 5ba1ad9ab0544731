//! Directories in which two users can remove each other's files.

use std::process::Command;

use pidlock_tests::{has_tool, run, said, skip};

use super::{A, B, Place, ROOT, assert_each_takes_over, can_switch_user};

#[test]
fn stale_file_of_root_or_of_the_user_is_taken_over_in_the_users_directory() {
    if can_switch_user() {
        // The second mode is sticky. The user can still remove root's files, because the user owns
        // the directory.
        for mode in [0o755, 0o1777] {
            assert_each_takes_over(&Place::new(A, mode).pidfile(), [ROOT, A], 0o644);
        }
    }
}

#[test]
fn stale_file_that_only_its_owner_can_read_is_taken_over_by_root() {
    if can_switch_user() {
        let path = Place::new(ROOT, 0o1777);
        let path = path.pidfile();
        super::start(A, &path, &["--mode", "600"]).kill();
        super::start(ROOT, &path, &[]).finish();
    }
}

#[test]
fn stale_file_of_the_user_is_taken_over_by_root_in_a_sticky_directory() {
    if can_switch_user() {
        let place = Place::new(ROOT, 0o1777);
        for arguments in [&[][..], &["--keep"]] {
            super::start(A, &place.pidfile(), arguments).kill();
            let mut next = super::start(ROOT, &place.pidfile(), arguments);
            super::assert_refused_by(&next, A, &place.pidfile(), arguments);
            next.finish();
            let _ = std::fs::remove_file(place.pidfile());
        }
    }
}

#[test]
fn stale_file_of_a_user_is_taken_over_by_another_member_of_the_group() {
    if can_switch_user() {
        let place = Place::new(ROOT, 0o755);
        std::os::unix::fs::chown(&place.path, None, Some(A.gid)).expect("set the group");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o2775);
        std::fs::set_permissions(&place.path, mode).expect("set the mode");
        for mode in [0o664, 0o644] {
            assert_each_takes_over(&place.pidfile(), [A, B], mode);
        }
    }
}

#[test]
fn stale_file_of_a_user_is_taken_over_by_another_user_with_access_by_acl() {
    if !can_switch_user() {
        return;
    }
    if !has_tool("setfacl") {
        return skip("there is no setfacl");
    }
    let place = Place::new(ROOT, 0o700);
    let entries = format!("user:{}:rwx,user:{}:rwx", A.uid, B.uid);
    let output = run(Command::new("setfacl")
        .args(["--modify", &entries])
        .arg(&place.path));
    if !output.status.success() {
        return skip(&format!("no ACLs: {}", said(&output)));
    }
    for mode in [0o664, 0o644] {
        assert_each_takes_over(&place.pidfile(), [A, B], mode);
    }
}
