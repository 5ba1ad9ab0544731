//! A program closes all its descriptors while it holds a pidfile, and then opens the pidfile itself,
//! which gets the old number: neither device nor inode tells it from the descriptor that was locked.

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

/// Another start is in after a user has freed the file: by removing it, or by truncating it, which
/// keeps the inode.
#[test]
fn release_with_the_pidfile_under_a_reused_number_leaves_another_holders_file() {
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
                true => fs::write(&place.path, "").expect("the file is ours"),
                false => fs::remove_file(&place.path).expect("the file is ours"),
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

/// The file could be locked once more, but between the two locks it can have been another's.
#[test]
fn release_with_the_pidfile_under_a_reused_number_touches_nothing() {
    for end in End::ALL {
        let what = format!("{end:?}");
        let place = Place::new();
        let mut program = holding("reopen", &place.path);
        check_said(end, &end.of(&mut program));
        assert_eq!(text(&place.path), format!("{}\n", program.pid()), "{what}");
        place.check_next_start(&what);
    }
}
