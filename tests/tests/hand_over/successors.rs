//! Successors that take the file over.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pidlock_tests::{ORDINARY_UID, is_root, skip_for_this_user, text};

use super::{Place, line};

/// Reads lines until the holder is the last of `count` processes. Returns its PID.
fn last_holder(program: &mut pidlock_tests::Program, count: usize) -> u32 {
    let mut holders = Vec::new();
    let mut handed_over = 0;
    while holders.len() < count || handed_over + 1 < count {
        let (pid, what) = line(program);
        match what.as_str() {
            "held" => holders.push(pid),
            _ if what.starts_with("handed over to ") => handed_over += 1,
            _ => panic!("unexpected: {what}"),
        }
    }
    *holders.last().expect("there is a holder")
}

#[test]
fn file_and_refusals_name_the_successor() {
    for options in ["", "--keep "] {
        let place = Place::new();
        let mut program = place.start(&format!("{options}--linger spawn"));
        let successor = last_holder(&mut program, 2);
        assert_ne!(successor, program.pid());
        place.assert_holder(successor);
        // Otherwise it would share the lock for as long as it goes on.
        assert!(!has_open(program.pid(), &place.path));
        let (status, rest) = program.finish();
        assert!(status.success());
        assert_eq!(rest, format!("{successor} closed\n"));
        assert_eq!(place.path.exists(), options == "--keep ");
        place.assert_free();
    }
}

/// Returns `false` where there is no `/proc`, too.
fn has_open(pid: u32, path: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let is_path = |it: fs::DirEntry| fs::read_link(it.path()).is_ok_and(|target| target == path);
    descriptors.flatten().any(is_path)
}

#[test]
fn file_is_handed_over_again_and_again() {
    let place = Place::new();
    let mut program = place.start("spawn spawn spawn");
    let last = last_holder(&mut program, 4);
    place.assert_holder(last);
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{last} closed\n"));
    assert!(!place.path.exists());
}

#[test]
fn program_restarts_itself_by_exec() {
    let place = Place::new();
    let mut program = place.start("exec exec");
    let pid = program.pid();
    for _ in 0..3 {
        assert_eq!(line(&mut program), (pid, "held".into()));
    }
    place.assert_holder(pid);
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{pid} closed\n"));
    assert!(!place.path.exists());
}

#[test]
fn forked_worker_of_the_successor_adopts_nothing() {
    let place = Place::new();
    let mut program = place.start("spawn work");
    let mut said = BTreeSet::new();
    let mut successor = 0;
    for _ in 0..4 {
        let (pid, what) = line(&mut program);
        if what.starts_with("worker") {
            let refused = format!("already locked by PID {successor}");
            assert!(what.contains(&refused), "{what}");
        }
        if what == "held" {
            successor = pid;
        }
        said.insert(what);
    }
    place.assert_holder(successor);
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{successor} closed\n"), "{said:?}");
}

/// A daemon goes into the background before it acquires: the started process is gone by then.
#[test]
fn successor_can_fork_before_it_acquires() {
    let place = Place::new();
    let mut program = place.start("spawn background");
    let daemon = last_holder(&mut program, 2);
    place.assert_holder(daemon);
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{daemon} closed\n"));
}

#[test]
fn command_that_failed_can_be_used_again() {
    let place = Place::new();
    let mut program = place.start("retry");
    assert_eq!(line(&mut program), (program.pid(), "held".into()));
    let (_, kept) = line(&mut program);
    assert!(kept.starts_with("kept: "), "{kept}");
    let lines = [line(&mut program), line(&mut program)];
    let held = lines.iter().find(|(_, what)| what == "held");
    let (successor, _) = held.expect("the successor holds the file");
    place.assert_holder(*successor);
}

/// A successor that has dropped its privileges can write the file, but not remove it.
#[test]
fn successor_of_another_user_takes_over() {
    if !is_root() {
        return skip_for_this_user("only root can start a program as another user");
    }
    let place = Place::new();
    let directory = place.path.parent().expect("a file is in a directory");
    fs::set_permissions(directory, Permissions::from_mode(0o755)).expect("open the directory");
    let mut program = place.start(&format!("--as {ORDINARY_UID} spawn"));
    let successor = last_holder(&mut program, 2);
    place.assert_holder(successor);
    let (_, rest) = program.finish();
    assert_eq!(rest, format!("{successor} closed\n"));
    assert_eq!(text(&place.path), "");
    place.assert_free();
}
