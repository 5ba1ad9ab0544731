//! Children that no longer share the lock when the parent releases it: the release removes the
//! file.

use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::{
    Program, has_tool, is_root, run, skip, skip_for_this_kernel, skip_for_this_user, spawner, text,
};

use super::{End, Place, forker, holding};

/// Programs that another thread starts share the lock until they call exec.
#[test]
fn release_after_fork_beside_spawned_programs_removes_the_file_each_time() {
    let place = Place::new();
    let mut program = forker("releases", &place.path);
    let line = program.line();
    assert!(line.starts_with("left 0,"), "{line}");
    assert!(program.finish().0.success());
    // The last release can leave the file if a program was slow to call exec.
    if place.path.exists() {
        place.wait_until_free();
        place.check_next_start("releases");
    }
}

#[test]
fn end_after_fork_beside_spawned_programs_removes_the_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    let log = dir.path().join("log");
    for end in End::ALL {
        for _ in 0..10 {
            let place = Place::new();
            let mut command = Command::new(env!("CARGO_BIN_EXE_forker"));
            let mut program = Program::start(command.arg("busy").arg(&place.path).arg(&log));
            program.expect("held");
            end.of(&mut program);
            if place.path.exists() && spawner::took_in(&log, spawner::RELEASE_WAITS) {
                place.wait_until_free();
                place.check_next_start("a program was slow to call exec");
            }
            place.check_gone(&format!("{end:?}"));
        }
    }
}

#[test]
fn guard_dropped_in_a_forked_child_leaves_the_parents_file_and_lock() {
    let place = Place::new();
    let mut parent = holding("child-drops", &place.path);
    assert_eq!(text(&place.path), format!("{}\n", parent.pid()));
    let error = PidFile::at(&place.path)
        .acquire()
        .expect_err("the file is held");
    assert_eq!(error.pid(), Some(parent.pid()), "{error}");
    assert!(parent.finish().0.success());
    place.check_gone("the parent has released");
}

/// After setuid, the process can neither remove the file nor open it for writing. The release has
/// to leave a blank, unlocked file, which does not refuse the next start.
#[test]
fn release_after_a_fork_and_setuid_leaves_a_blank_file_and_succeeds() {
    if !is_root() {
        return skip_for_this_user("only root can change to another user");
    }
    let place = Place::new();
    let mut program = holding("drop-privileges", &place.path);
    assert_eq!(End::Close.of(&mut program), "closed\n");
    assert_eq!(text(&place.path), "");
    place.wait_until_free();
    place.check_next_start("drop-privileges");
}

/// An immutable file can neither be truncated nor removed.
#[test]
fn release_after_a_fork_of_a_file_that_cannot_be_changed_reports_the_error() {
    if !is_root() {
        return skip_for_this_user("only root can make a file immutable");
    }
    if !has_tool("chattr") {
        return skip("there is no chattr");
    }
    let place = Place::new();
    let mut program = holding("fork-once", &place.path);
    let change = |attribute| run(Command::new("chattr").arg(attribute).arg(&place.path));
    if !change("+i").status.success() {
        return skip_for_this_kernel("the file system has no immutable files");
    }
    let said = End::Close.of(&mut program);
    assert!(change("-i").status.success());
    assert!(said.contains("cannot truncate pidfile"), "{said}");
    assert_eq!(text(&place.path), format!("{}\n", program.pid()));
}
