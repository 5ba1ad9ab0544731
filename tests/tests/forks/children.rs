//! Children that do not go on with the lock: the parent's release removes the file.

use pidlock_core::PidFile;
use pidlock_tests::text;

use super::{End, Place, forker, holding};

/// The started programs share the lock too, until they call exec.
#[test]
fn release_after_fork_beside_spawned_programs_removes_the_file_each_time() {
    let place = Place::new();
    let mut program = forker("releases", &place.path);
    program.expect("left 0");
    assert!(program.finish().0.success());
    place.check_gone("releases");
}

#[test]
fn end_after_fork_beside_spawned_programs_removes_the_file() {
    for end in End::ALL {
        for _ in 0..10 {
            let place = Place::new();
            let mut program = holding("busy", &place.path);
            end.of(&mut program);
            place.check_gone(&format!("{end:?}"));
        }
    }
}

#[test]
fn guard_dropped_in_a_forked_child_leaves_the_parents_file_and_lock() {
    let place = Place::new();
    let mut parent = holding("child-drops", &place.path);
    assert_eq!(text(&place.path), format!("{}\n", parent.pid()));
    let error = PidFile::at(&place.path).acquire().expect_err("held");
    assert_eq!(error.pid(), Some(parent.pid()), "{error}");
    assert!(parent.finish().0.success());
    place.check_gone("the parent has released");
}
