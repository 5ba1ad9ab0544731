//! What no advisory lock can prevent: somebody who deletes and replaces the pidfile all the time.
//! Every holder whose file went is told, afterwards all is as if nothing had been, and nothing of
//! theirs is harmed, with one exception that no system call can close: a pidfile is removed by its
//! name, so what somebody puts there between the last look and the removal goes in its place. With
//! `keep(true)` nothing is ever removed.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_tests::tally::Figures;
use rustix::fs::{FlockOperation, flock};

use super::arena::Arena;
use super::mixed::Storm;
use super::places::time;

/// What the third party saw.
#[derive(Debug, Default)]
struct Seen {
    deleted: u32,
    replaced: u32,
    /// Files of its own that were changed or removed.
    harmed: u32,
}

const DOCUMENT: &str = "a document of somebody else's\n";

/// Deletes whatever is there, or puts a document of its own in its place and takes that away again.
/// What is put there is put there during no release, where there is a truce.
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
        // Now sooner and now later than a hold takes.
        thread::sleep(Duration::from_micros(u64::from(n * 89 % 900)));
    }
    seen
}

/// Whether the document was the same after it had stood in the pidfile's place.
fn replace(path: &Path, truce: Option<&File>, n: u32) -> bool {
    let mine: PathBuf = path.with_extension("document");
    fs::write(&mine, DOCUMENT).expect("a document");
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o640)).expect("a mode");
    let mut open = File::open(&mine).expect("a document");
    let picture = |file: &File| {
        let found = file.metadata().expect("it is open");
        (found.ino(), found.mode(), found.nlink(), found.mtime_nsec())
    };
    let before = picture(&open);
    if let Some(truce) = truce {
        flock(truce, FlockOperation::LockExclusive).expect("a truce");
    }
    fs::rename(&mine, path).expect("a replacement");
    if let Some(truce) = truce {
        flock(truce, FlockOperation::Unlock).expect("the end of the truce");
    }
    thread::sleep(Duration::from_micros(u64::from(n * 53 % 400)));
    let after = picture(&open);
    let mut text = String::new();
    open.read_to_string(&mut text).expect("a text");
    let _ = fs::rename(path, &mine);
    // Should it be another's, it is not to be written to.
    let _ = fs::remove_file(&mine);
    before == after && text == DOCUMENT
}

/// How many files of the third party's were harmed.
fn besiege(how: &'static str, with_truce: bool) -> u32 {
    let arena = Arena::new(how, false);
    let path = arena.pidfile();
    let truce = arena.path("truce");
    let truce_file = File::create(&truce).expect("a file to lock");
    let truce_file = with_truce.then_some(&truce_file);
    let truce = if with_truce { &truce } else { Path::new("-") };
    let over = AtomicBool::new(false);
    let begin = Instant::now();
    let (well, told, refused) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    // On a busy machine they go on until somebody's file went.
    let going_on = || {
        let wait = if told.load(Ordering::Relaxed) > 0 {
            2
        } else {
            80
        };
        begin.elapsed() < wait * time()
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
                        let end = holder.status().expect("a holder starts");
                        let count = match end.code() {
                            Some(0) => well,
                            Some(3) => refused,
                            Some(10) => told,
                            _ => panic!("{how}: a holder was not told right: {end}"),
                        };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let slots: Vec<_> = slots.into_iter().map(|slot| slot.join()).collect();
        over.store(true, Ordering::Relaxed);
        for slot in slots {
            slot.expect("holders that are told right");
        }
        third_party.join().expect("the third party ends")
    });
    let [well, told, refused] = [well, told, refused].map(AtomicU32::into_inner);
    println!(
        "{how}, besieged, truce {with_truce}: {well} well, {told} told, {refused} refused, {seen:?}"
    );
    assert!(told > 0, "nobody's file went");
    assert!(seen.deleted > 0 && seen.replaced > 0, "{seen:?}");
    // All who were inside are gone: exclusion is whole again.
    let storm = Storm::new(&arena);
    let tally = storm.churn(8, time());
    storm.conclude(&format!("8 contenders, {how}, after a siege"), tally);
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
fn who_replaces_the_file_loses_nothing() {
    for how in ["locked", "unlocked"] {
        assert_eq!(besiege(how, true), 0, "{how}");
    }
}

#[test]
fn who_replaces_a_file_that_is_kept_loses_nothing_at_any_moment() {
    assert_eq!(besiege("kept", false), 0);
}

/// Holders are told right even there; what was lost, the output tells.
#[test]
fn replacement_during_release_is_seen_by_next_start() {
    besiege("locked", false);
}
