//! An attacker at work while we start and end, again and again, in every way there is to start.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::protected_files::ProtectedFiles;
use pidlock_tests::tally::Figures;
use pidlock_tests::{ORDINARY_UID, Program, is_root};

/// How long each attack goes on in seconds.
const SECONDS: &str = "PIDLOCK_STORM_SECONDS";

fn time() -> Duration {
    let seconds = std::env::var(SECONDS).map_or(0.5, |text| text.parse().expect(SECONDS));
    Duration::from_secs_f64(seconds)
}

/// The attacker: another user where we can start programs as one, else ourselves, who may do even
/// more.
pub(crate) fn attacker(arguments: &[&Path]) -> Program {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a mode");
    // A copy that others can run, made by a process of its own: a file that is still open for writing
    // here, or in a child that another thread forks at this moment, cannot be run.
    let program: PathBuf = dir.path().join("attacker");
    let original = Path::new(env!("CARGO_BIN_EXE_attacker"));
    let copied = Command::new("cp").args([original, &program]).status();
    assert!(copied.is_ok_and(|status| status.success()), "no copy");
    let mut command = Command::new(&program);
    command.args(arguments);
    if is_root() {
        command.uid(ORDINARY_UID).gid(ORDINARY_UID);
    }
    let mut attacker = Program::start(&mut command);
    attacker.expect("ready");
    attacker
}

/// Starts and ends once; whether it got in.
fn start(file: &PidFile, reserve: bool) -> bool {
    let guard = match reserve {
        true => file.reserve().and_then(pidlock_core::Reservation::commit),
        false => file.acquire(),
    };
    match guard {
        Ok(guard) => {
            // Who may write to the directory may take the file away.
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
            // A name that changes between two calls gives now one error and now another, but always
            // a typed one about this path.
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
    let shared = tempfile::tempdir().expect("a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
    let path = shared.path().join("app.pid");
    // Bits that the umask takes away, so that the mode has to be set.
    let mut file = set(PidFile::at(&path)).mode(0o666);
    if is_root() {
        // Where the attacker may do most, his own files are those of the user asked for, and are
        // taken over where they are stale.
        let uid = if mode == 0o777 { ORDINARY_UID } else { 12 };
        file = file.uid(uid).gid(34);
    }
    let mut attacker = attacker(&[&path, victims.path()]);
    let begin = Instant::now();
    let (mut starts, mut inside) = (0_u64, 0_u64);
    // On a busy machine until the attacker has had its turns, too.
    let few = |starts, inside| starts - inside < 5 && begin.elapsed() < 40 * time();
    while begin.elapsed() < time() || few(starts, inside) {
        starts += 1;
        inside += u64::from(start(&file, reserve));
    }
    let (_, placed) = attacker.finish();
    let placed: u64 = placed.trim().parse().expect("a number");
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
    assert!(placed > 0, "{what} in {mode:o}: nothing was attacked");
    // Once the attacker has gone, what it left is all that can be in the way.
    if let Err(error) = fs::remove_file(&path) {
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    assert!(
        start(&file, reserve),
        "{what} in {mode:o}: a start afterwards"
    );
}

const MODES: [u32; 2] = [0o1777, 0o777];

#[test]
fn starts_with_a_lock() {
    for mode in MODES {
        attack(mode, "acquire", |file| file, false);
    }
}

#[test]
fn starts_without_a_lock() {
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
fn starts_that_keep_the_file() {
    // In a sticky directory the first who gets in keeps the attacker out for good.
    attack(0o777, "acquire and keep", |file| file.keep(true), false);
}

#[test]
fn reservations() {
    for mode in MODES {
        attack(mode, "reserve", |file| file, true);
    }
}
