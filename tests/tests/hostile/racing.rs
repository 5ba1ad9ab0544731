//! Repeated starts and releases while an attacker replaces the file at the path.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::length;
use pidlock_tests::protected_files::ProtectedFiles;
use pidlock_tests::tally::Figures;
use pidlock_tests::{ORDINARY_UID, Program, is_root};

/// Starts the attacker: as another user if this user is root, else as this user, who has even more
/// permissions.
pub(crate) fn attacker(arguments: &[&Path]) -> Program {
    let dir = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set the mode");
    // A copy that other users can run. `cp` makes it: a file that is open for writing cannot be
    // run, and a child that another thread forks inherits the open file.
    let program: PathBuf = dir.path().join("attacker");
    let original = Path::new(env!("CARGO_BIN_EXE_attacker"));
    let copied = Command::new("cp").args([original, &program]).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "cannot copy the attacker"
    );
    let mut command = Command::new(&program);
    command.args(arguments);
    if is_root() {
        command.uid(ORDINARY_UID).gid(ORDINARY_UID);
    }
    let mut attacker = Program::start(&mut command);
    attacker.expect("ready");
    attacker
}

/// Acquires and releases the file once. Returns `false` if the start is refused.
fn start(file: &PidFile, reserve: bool) -> bool {
    let guard = match reserve {
        true => file.reserve().and_then(pidlock_core::Reservation::commit),
        false => file.acquire(),
    };
    match guard {
        Ok(guard) => {
            // The attacker can remove the file, because it has write access to the directory.
            let sound = |answer: Result<(), PidFileError>| match answer {
                Ok(()) | Err(PidFileError::Replaced { .. }) => {}
                Err(error) => panic!("{error}"),
            };
            sound(guard.verify());
            sound(guard.close());
            true
        }
        Err(error) => {
            let untrusted = matches!(
                error,
                PidFileError::Untrusted { .. } | PidFileError::Replaced { .. }
            );
            let words = error.to_string();
            let kind = io::Error::from(error).kind();
            // The error depends on what is at the path at each call. It is always the error of a
            // system call, or one of these kinds.
            let expected = untrusted
                || matches!(
                    kind,
                    io::ErrorKind::TimedOut
                        | io::ErrorKind::NotFound
                        | io::ErrorKind::PermissionDenied
                )
                || words.contains("os error");
            assert!(expected, "{kind:?}: {words}");
            false
        }
    }
}

fn attack(mode: u32, what: &str, set: impl Fn(PidFile) -> PidFile, reserve: bool) {
    let victims = ProtectedFiles::new();
    let shared = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("set the mode");
    let path = shared.path().join("app.pid");
    // The umask clears some of these bits, so the start has to set the mode.
    let mut file = set(PidFile::at(&path)).mode(0o666);
    if is_root() {
        // In the directory with mode 0777, the start asks for the attacker's user as the owner, so
        // it acquires stale files of the attacker. In the sticky one, it asks for a third user.
        let uid = if mode == 0o777 { ORDINARY_UID } else { 12 };
        file = file.uid(uid).gid(34);
    }
    let mut attacker = attacker(&[&path, victims.path()]);
    let begin = Instant::now();
    let (mut starts, mut inside) = (0_u64, 0_u64);
    // On a busy machine, go on until the attacker has made some starts fail.
    let few = |starts, inside| starts - inside < 5 && begin.elapsed() < length::PATIENCE;
    while begin.elapsed() < length::of_storm() || few(starts, inside) {
        starts += 1;
        inside += u64::from(start(&file, reserve));
    }
    let (_, placed) = attacker.finish();
    let placed: u64 = placed.trim().parse().expect("the attacker prints a number");
    let harmed = victims.harmed();
    println!("{what} in {mode:o}: {starts} starts, {inside} in, {placed} attacks, {harmed} harmed");
    Figures {
        holds: inside,
        faults: placed,
        survived: placed - harmed.min(placed),
        overlaps: 0,
        harmed,
    }
    .record(&format!("attacks on {what} in {mode:o}"));
    assert_eq!(harmed, 0, "{what} in {mode:o}");
    assert!(
        placed > 0,
        "{what} in {mode:o}: the attacker placed no file"
    );
    // The attacker has exited. The next start succeeds once the file that it left is removed.
    if let Err(error) = fs::remove_file(&path) {
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    assert!(
        start(&file, reserve),
        "{what} in {mode:o}: the next start is refused"
    );
}

const MODES: [u32; 2] = [0o1777, 0o777];

#[test]
fn attacked_start_with_a_lock_harms_no_other_file() {
    for mode in MODES {
        attack(mode, "acquire", |file| file, false);
    }
}

#[test]
fn attacked_start_without_a_lock_harms_no_other_file() {
    for mode in MODES {
        attack(
            mode,
            "acquire without a lock",
            |file| file.lock(false),
            false,
        );
    }
}

#[test]
fn attacked_start_that_keeps_the_file_harms_no_other_file() {
    // In a sticky directory, the attacker cannot replace the file that the first start keeps, so
    // only mode 0777 is tested.
    attack(0o777, "acquire and keep", |file| file.keep(true), false);
}

#[test]
fn attacked_reservation_harms_no_other_file() {
    for mode in MODES {
        attack(mode, "reserve", |file| file, true);
    }
}
