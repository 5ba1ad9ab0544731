//! Every way in which a holder can go ends the wait.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::PidFile;
use pidlock_tests::{Program, has_tool, skip, text};
use rustix::fs::{FlockOperation, flock};

use crate::{Place, WAYS, in_time, waiter, waiter_for};

/// The waiter acquires the file, which then contains its PID, and releases it.
fn assert_acquires(mut waiter: Program, place: &Place) {
    waiter.expect("held");
    assert_eq!(text(&place.path()), format!("{}\n", waiter.pid()));
    assert!(waiter.finish().0.success());
}

#[test]
fn release_ends_the_wait() {
    for way in WAYS {
        let place = Place::new();
        let guard = place.held();
        let waiter = waiter_for(std::process::id(), way, &place.path());
        drop(guard);
        assert_acquires(waiter, &place);
        assert!(!place.path().exists());
    }
}

#[test]
fn release_in_the_same_process_ends_the_wait() {
    let place = Place::new();
    let guard = place.held();
    let file = place.file();
    let thread = thread::spawn(move || file.acquire());
    drop(guard);
    let guard = in_time(|| thread.join()).expect("the thread does not panic");
    guard.expect("acquire").verify().expect("verify");
}

#[test]
fn reservation_waits() {
    let place = Place::new();
    let guard = place.held();
    let waiter = waiter_for(std::process::id(), &["--reserve"], &place.path());
    drop(guard);
    assert_acquires(waiter, &place);
}

#[test]
fn release_that_keeps_the_file_ends_the_wait() {
    for way in WAYS {
        let place = Place::new();
        let guard = place.file().keep(true).acquire().expect("acquire");
        let waiter = waiter_for(
            std::process::id(),
            &[way, &["--keep"]].concat(),
            &place.path(),
        );
        drop(guard);
        assert_acquires(waiter, &place);
        assert_eq!(text(&place.path()), "");
    }
}

#[test]
fn kill_ends_the_wait() {
    for way in WAYS {
        let place = Place::new();
        let mut holder = place.holder(&[]);
        let waiter = waiter_for(holder.pid(), way, &place.path());
        holder.kill();
        assert_acquires(waiter, &place);
    }
}

#[test]
fn end_of_a_holder_that_does_not_lock_ends_the_wait() {
    for way in WAYS {
        for kill in [false, true] {
            let place = Place::new();
            let mut holder = place.holder(&["--no-lock"]);
            let waiter = waiter_for(holder.pid(), way, &place.path());
            match kill {
                true => holder.kill(),
                false => assert!(holder.finish().0.success()),
            }
            assert_acquires(waiter, &place);
        }
    }
}

#[test]
fn wait_without_a_lock_ends_with_the_holder() {
    for way in WAYS {
        for kill in [false, true] {
            let place = Place::new();
            let mut holder = place.holder(&["--no-lock"]);
            let options = [way, &["--no-lock"]].concat();
            let waiter = waiter_for(holder.pid(), &options, &place.path());
            match kill {
                true => holder.kill(),
                false => assert!(holder.finish().0.success()),
            }
            assert_acquires(waiter, &place);
        }
    }
}

#[test]
fn replaced_file_ends_the_wait() {
    for way in WAYS {
        let place = Place::new();
        let guard = place.held();
        let waiter = waiter_for(std::process::id(), way, &place.path());
        let other = place.path().with_extension("other");
        fs::write(&other, "").expect("create another file");
        fs::rename(&other, place.path()).expect("replace the pidfile");
        assert_acquires(waiter, &place);
        drop(guard);
    }
}

/// The file is held by a process, replaced by one that another process holds, and that one released.
#[test]
fn wait_goes_on_with_the_holder_of_the_file_that_replaces_the_first() {
    for way in WAYS {
        let place = Place::new();
        let guard = place.held();
        let waiter = waiter_for(std::process::id(), way, &place.path());
        let other = place.path().with_extension("other");
        let second = PidFile::at(&other).keep(true).acquire().expect("acquire");
        fs::rename(&other, place.path()).expect("replace the pidfile");
        drop(guard);
        drop(second);
        assert_acquires(waiter, &place);
    }
}

#[test]
fn removed_directory_ends_the_wait() {
    for way in WAYS {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("new/app.pid");
        let guard = PidFile::at(&path).acquire().expect("acquire");
        let mut waiter = waiter_for(std::process::id(), way, &path);
        fs::remove_dir_all(dir.path().join("new")).expect("remove the directory");
        waiter.expect("held");
        assert_eq!(text(&path), format!("{}\n", waiter.pid()));
        drop(guard);
    }
}

#[test]
fn end_of_flock_ends_the_wait() {
    if !has_tool("flock") {
        return skip("flock(1) is not installed");
    }
    for way in WAYS {
        let place = Place::new();
        let mut command = Command::new("flock");
        command.arg(place.path()).args(["-c", "echo held; cat"]);
        let mut flock = Program::start(&mut command);
        flock.expect("held");
        let waiter = waiter_for(0, way, &place.path());
        assert!(flock.finish().0.success());
        assert_acquires(waiter, &place);
    }
}

/// No event tells that a file is unlocked which stays open.
#[test]
fn unlock_without_an_event_ends_the_wait_within_a_second_or_so() {
    for way in WAYS {
        let place = Place::new();
        let file = File::create(place.path()).expect("create the file");
        flock(&file, FlockOperation::LockExclusive).expect("lock the file");
        let waiter = waiter_for(0, way, &place.path());
        thread::sleep(Duration::from_millis(300));
        flock(&file, FlockOperation::Unlock).expect("unlock the file");
        assert_acquires(waiter, &place);
    }
}

#[test]
fn every_end_is_noticed_without_inotify() {
    for way in WAYS {
        let options = [way, &["--no-inotify"]].concat();
        let place = Place::new();
        let guard = place.held();
        let waiter = waiter_for(std::process::id(), &options, &place.path());
        drop(guard);
        assert_acquires(waiter, &place);
        let mut holder = place.holder(&[]);
        let waiter = waiter_for(holder.pid(), &options, &place.path());
        holder.kill();
        assert_acquires(waiter, &place);
        let mut holder = place.holder(&["--no-lock"]);
        let waiter = waiter_for(holder.pid(), &options, &place.path());
        holder.kill();
        assert_acquires(waiter, &place);
    }
}

#[test]
fn signal_ends_a_process_that_waits_for_ever() {
    use std::os::unix::process::ExitStatusExt;
    for way in WAYS {
        let place = Place::new();
        let guard = place.held();
        let mut waiter = waiter_for(std::process::id(), way, &place.path());
        let kill = Command::new("kill").arg(waiter.pid().to_string()).status();
        assert!(kill.expect("run kill").success());
        assert_eq!(waiter.wait().signal(), Some(libc::SIGTERM));
        guard.verify().expect("verify");
    }
}

#[test]
fn file_that_is_free_is_not_waited_for() {
    let place = Place::new();
    let mut first = waiter(&[], &place.path());
    first.expect("held");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    let output = command.arg("--at").arg(place.path()).stdin(Stdio::null());
    assert_eq!(output.output().expect("run holder").status.code(), Some(3));
}

/// Without events, a start that waits looks after 100 ms for the first time. The fastest of ten waits
/// counts, because the machine may be busy.
#[test]
fn events_end_waits_before_the_first_tick() {
    type Holder = (u32, Box<dyn FnOnce()>);
    let held = |place: &Place, keep: bool| -> Holder {
        let guard = place.file().keep(keep).acquire().expect("acquire");
        (std::process::id(), Box::new(move || drop(guard)))
    };
    let killed = |place: &Place, options: &[&str]| -> Holder {
        let mut holder = place.holder(options);
        (holder.pid(), Box::new(move || holder.kill()))
    };
    let replaced = |place: &Place| -> Holder {
        let (guard, path) = (place.held(), place.path());
        let replace = move || {
            fs::remove_file(path).expect("remove the file");
            std::mem::forget(guard);
        };
        (std::process::id(), Box::new(replace))
    };
    // A process that has not opened the file.
    let other = |place: &Place| -> Holder {
        let mut sleep = Command::new("sleep").arg("60").spawn().expect("run sleep");
        fs::write(place.path(), format!("{}\n", sleep.id())).expect("write its PID");
        let pid = sleep.id();
        let end = move || {
            sleep.kill().expect("kill sleep");
            sleep.wait().expect("wait for sleep");
        };
        (pid, Box::new(end))
    };
    type Begin<'a> = &'a dyn Fn(&Place) -> Holder;
    let ways_to_go: [(&str, Begin<'_>, &[&str]); 7] = [
        ("release", &|place| held(place, false), &[]),
        (
            "release that keeps the file",
            &|place| held(place, true),
            &[],
        ),
        ("kill", &|place| killed(place, &[]), &[]),
        (
            "kill without a lock",
            &|place| killed(place, &["--no-lock"]),
            &[],
        ),
        (
            "kill, both without a lock",
            &|place| killed(place, &["--no-lock"]),
            &["--no-lock"],
        ),
        ("end of another process", &other, &[]),
        ("removal", &replaced, &[]),
    ];
    for (what, begin, options) in ways_to_go {
        for way in WAYS {
            let is_fast = |_| {
                let place = Place::new();
                let (pid, end) = begin(&place);
                let mut waiter = waiter_for(pid, &[way, options].concat(), &place.path());
                thread::sleep(Duration::from_millis(30)); // until it sleeps
                let began = Instant::now();
                end();
                waiter.expect("held");
                began.elapsed() < Duration::from_millis(50)
            };
            assert!(
                (0..10).any(is_fast),
                "{what}, {way:?}: no event ended the wait"
            );
        }
    }
}
