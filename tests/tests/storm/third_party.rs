//! What no advisory lock can prevent: a third party that keeps deleting and replacing the pidfile.
//! Every holder whose file was removed gets an error, and afterwards exclusion works again. The
//! files of the third party are not harmed, with one exception that no system call can prevent: a
//! pidfile is unlinked by its name, so a file that replaces it between the last check and the
//! unlink is unlinked instead. With `keep(true)` a release unlinks no file.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_tests::length;
use pidlock_tests::tally::Figures;
use rustix::fs::{FlockOperation, flock};

use super::arena::Arena;
use super::mixed::Storm;

/// What the third party did, and what it observed.
#[derive(Debug, Default)]
struct Seen {
    deleted: u32,
    replaced: u32,
    /// Its own files that were changed or removed.
    harmed: u32,
}

const DOCUMENT: &str = "a document of a third party\n";

/// Alternately deletes the file at the path, and replaces it with a document for a short time.
/// Locks the truce file, if there is one, while it replaces the pidfile. A holder locks it during
/// its release, so that the pidfile is not replaced then.
fn interfere(path: &Path, truce: Option<&File>, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut n = 0_u32;
    while !over.load(Ordering::Relaxed) {
        n += 1;
        if n % 2 == 0 {
            seen.deleted += u32::from(fs::remove_file(path).is_ok());
        } else {
            seen.replaced += 1;
            seen.harmed += u32::from(!replace(path, truce, n));
        }
        // Some pauses are shorter than a hold, and some are longer.
        thread::sleep(Duration::from_micros(u64::from(n * 89 % 900)));
    }
    seen
}

/// Returns `true` if the document is unchanged after it was at the pidfile's path.
fn replace(path: &Path, truce: Option<&File>, n: u32) -> bool {
    let mine: PathBuf = path.with_extension("document");
    fs::write(&mine, DOCUMENT).expect("write a document");
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o640)).expect("set the mode");
    let mut open = File::open(&mine).expect("open the document");
    let picture = |file: &File| {
        let found = file.metadata().expect("inspect the document");
        (found.ino(), found.mode(), found.nlink(), found.mtime_nsec())
    };
    let before = picture(&open);
    if let Some(truce) = truce {
        flock(truce, FlockOperation::LockExclusive).expect("begin the truce");
    }
    fs::rename(&mine, path).expect("replace the pidfile");
    if let Some(truce) = truce {
        flock(truce, FlockOperation::Unlock).expect("end the truce");
    }
    thread::sleep(Duration::from_micros(u64::from(n * 53 % 400)));
    let after = picture(&open);
    let mut text = String::new();
    open.read_to_string(&mut text).expect("read the document");
    let _ = fs::rename(path, &mine);
    // If this is the file of a holder, the next document must not be written into it.
    let _ = fs::remove_file(&mine);
    before == after && text == DOCUMENT
}

/// Runs holders beside the third party. Returns the number of its files that were harmed.
fn hold_beside_third_party(how: &'static str, with_truce: bool) -> u32 {
    let arena = Arena::new(how, false);
    let path = arena.pidfile();
    let truce = arena.path("truce");
    let truce_file = File::create(&truce).expect("create the truce file");
    let truce_file = with_truce.then_some(&truce_file);
    let truce = if with_truce { &truce } else { Path::new("-") };
    let over = AtomicBool::new(false);
    let begin = Instant::now();
    let (well, told, refused) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    // The storm runs for its usual length. If no holder has lost its file by then, as can happen on
    // a busy machine, it goes on until one has, but for at most `PATIENCE`.
    let going_on = || {
        let wait = match told.load(Ordering::Relaxed) {
            0 => length::PATIENCE,
            // Long enough for the third party to remove a file and to replace one.
            _ => length::of_storm().max(Duration::from_secs(1)),
        };
        begin.elapsed() < wait
    };
    let seen = thread::scope(|scope| {
        let third_party = scope.spawn(|| interfere(&path, truce_file, &over));
        let slots: Vec<_> = (0..4_u32)
            .map(|slot| {
                let (well, told, refused, path) = (&well, &told, &refused, &path);
                let going_on = &going_on;
                scope.spawn(move || {
                    let mut n = slot;
                    while going_on() {
                        n += 1;
                        let hold = n * 37 % 1500;
                        let mut holder = Command::new(env!("CARGO_BIN_EXE_verify_loop"));
                        holder.arg(how).arg(path).arg(hold.to_string()).arg(truce);
                        let end = holder.status().expect("run a holder");
                        let count = match end.code() {
                            Some(0) => well,
                            Some(3) => refused,
                            Some(10) => told,
                            _ => panic!("{how}: a holder got a wrong result: {end}"),
                        };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let slots: Vec<_> = slots.into_iter().map(|slot| slot.join()).collect();
        over.store(true, Ordering::Relaxed);
        for slot in slots {
            slot.expect("every holder gets the right result");
        }
        third_party.join().expect("the third party does not panic")
    });
    let [well, told, refused] = [well, told, refused].map(AtomicU32::into_inner);
    println!(
        "{how}, beside a third party, truce {with_truce}: {well} kept the file, {told} got an \
         error, {refused} refused, {seen:?}"
    );
    assert!(told > 0, "no holder lost its file");
    assert!(seen.deleted > 0 && seen.replaced > 0, "{seen:?}");
    // All holders have exited, so exclusion works again.
    let storm = Storm::new(&arena);
    let tally = storm.churn(8, length::of_storm());
    storm.conclude(&format!("8 contenders, {how}, after a third party"), tally);
    let faults = u64::from(seen.deleted + seen.replaced);
    if with_truce || how == "kept" {
        Figures {
            holds: u64::from(well + told),
            faults,
            survived: faults - u64::from(seen.harmed),
            overlaps: 0,
            harmed: u64::from(seen.harmed),
        }
        .record(&format!("a third party deletes and replaces it, {how}"));
    }
    seen.harmed
}

#[test]
fn third_party_that_replaces_the_file_outside_releases_loses_nothing() {
    for how in ["locked", "unlocked"] {
        assert_eq!(hold_beside_third_party(how, true), 0, "{how}");
    }
}

#[test]
fn third_party_that_replaces_a_kept_file_at_any_moment_loses_nothing() {
    assert_eq!(hold_beside_third_party("kept", false), 0);
}

/// Without a truce, a release unlinks a document that replaces the pidfile just before the unlink.
/// The output shows how many documents were harmed.
#[test]
fn holder_whose_file_is_replaced_at_any_moment_gets_an_error() {
    hold_beside_third_party("locked", false);
}
