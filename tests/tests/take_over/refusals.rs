//! Files that a start must leave: those that the directory protects, those that are held, and other
//! names of the pidfile.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pidlock_tests::{Program, is_root, stale_record};

use super::{A, B, Place, ROOT, User, assert_refused_by, can_switch_user, observe, refusal, start};

fn assert_protected(owner: User, user: User, arguments: &[&str]) {
    let place = Place::new(ROOT, 0o1777);
    let path = place.pidfile();
    start(owner, &path, arguments).kill();
    let before = observe(&path);
    let (message, kind) = refusal(user, &path, arguments);
    assert_eq!(kind, "PermissionDenied", "{message}");
    for words in [
        format!("'{}'", path.display()),
        format!("as uid {}", user.uid),
        format!("it belongs to uid {} and no process holds it", owner.uid),
        "remove it as that user".to_owned(),
        "choose another directory with dir = \"...\"".to_owned(),
    ] {
        assert!(message.contains(&words), "{words}: {message}");
    }
    assert_eq!(observe(&path), before, "it is left");
    // Its owner is not shut out by that.
    start(owner, &path, arguments).finish();
}

#[test]
fn stale_file_that_the_directory_protects_error_names_the_owner_and_what_to_do() {
    if can_switch_user() {
        for [owner, user] in [[ROOT, A], [B, A]] {
            // The second is writable for the other user: it must not be written into all the same.
            for arguments in [&[][..], &["--mode", "666"], &["--keep"]] {
                assert_protected(owner, user, arguments);
            }
        }
    }
}

#[test]
fn held_file_of_another_user_refuses_with_the_pid_and_is_untouched() {
    if can_switch_user() {
        for directory in [0o777, 0o1777] {
            let place = Place::new(A, directory);
            let path = place.pidfile();
            for [owner, user] in [[ROOT, A], [A, ROOT], [A, B], [B, A]] {
                for mode in ["644", "666"] {
                    let mut holder = start(owner, &path, &["--mode", mode]);
                    for arguments in [&[][..], &["--mode", "600"], &["--keep"]] {
                        assert_refused_by(&holder, user, &path, arguments);
                    }
                    assert_eq!(holder.finish().1, "closed\n");
                }
            }
        }
    }
}

#[test]
fn stale_file_with_another_name_is_replaced_and_the_other_name_untouched() {
    let this = User {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    for arguments in [&[][..], &["--keep"]] {
        for text in [stale_record(), String::new()] {
            let dir = tempfile::tempdir().expect("create a directory");
            let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
            fs::write(&path, &text).expect("write a stale file");
            fs::hard_link(&path, &other).expect("link it");
            let (contents, [inode, _, mode], owner, time) = observe(&other);
            let holder: Program = start(this, &path, arguments);
            let stat = fs::metadata(&path).expect("the file is there");
            assert_eq!(stat.nlink(), 1);
            assert_ne!(stat.ino(), inode, "it is another file");
            let now = (contents, [inode, 1, mode], owner, time);
            assert_eq!(observe(&other), now, "but for the number of its names");
            drop(holder);
        }
    }
    // A file of another user, which that user has linked.
    if is_root() {
        let place = Place::new(A, 0o755);
        let other = place.path.join("other");
        start(B, &Place::new(B, 0o755).pidfile(), &[]).kill();
        start(A, &place.pidfile(), &[]).kill();
        fs::hard_link(place.pidfile(), &other).expect("link it");
        let contents = observe(&other).0;
        start(ROOT, &place.pidfile(), &[]).finish();
        assert_eq!(observe(&other).0, contents);
    }
}
