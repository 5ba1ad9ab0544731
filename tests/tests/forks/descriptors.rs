//! A holder closes all its file descriptors and then opens the pidfile again. The new descriptor
//! has the number of the locked one, and refers to the same device and inode.

use std::fs;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::text;

use super::{End, Place, holding};

fn check_said(end: End, said: &str) {
    match end {
        End::Close => assert!(
            said.starts_with("Io") && said.contains("closed elsewhere in the program"),
            "{said}"
        ),
        _ => assert_eq!(said, "", "{end:?}"),
    }
}

/// A user removes the file, or truncates it, which keeps the inode. Then another process acquires
/// it.
#[test]
fn release_with_a_reused_descriptor_leaves_another_holders_file() {
    for end in End::ALL {
        for truncate in [false, true] {
            let what = format!("{end:?}, truncated: {truncate}");
            let place = Place::new();
            let mut first = holding("reopen", &place.path);
            let refused = PidFile::at(&place.path).acquire().expect_err(&what);
            let is_running =
                matches!(refused, PidFileError::AlreadyRunning { pid, .. } if pid == first.pid());
            assert!(is_running, "{what}: {refused}");
            match truncate {
                true => fs::write(&place.path, "").expect("truncate the file"),
                false => fs::remove_file(&place.path).expect("remove the file"),
            }
            let second = PidFile::at(&place.path).acquire().expect(&what);
            check_said(end, &end.of(&mut first));
            second.verify().expect(&what);
            assert_eq!(text(&place.path), format!("{}\n", std::process::id()));
            second.close().expect(&what);
            place.check_gone(&what);
        }
    }
}

/// The release could lock the file again through the new descriptor. It must not change the file
/// even then, because another process may have held the file in the meantime.
#[test]
fn release_with_a_reused_descriptor_changes_nothing() {
    for end in End::ALL {
        let what = format!("{end:?}");
        let place = Place::new();
        let mut program = holding("reopen", &place.path);
        check_said(end, &end.of(&mut program));
        assert_eq!(text(&place.path), format!("{}\n", program.pid()), "{what}");
        place.check_next_start(&what);
    }
}
