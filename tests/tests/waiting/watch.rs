//! `PidGuard::watch`: a holder is told once that its file was removed or replaced.

use std::fs;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use pidlock_core::{PidFileError, PidGuard, Watch};

use crate::{LONG, Place};

fn watch(guard: &PidGuard) -> (Watch, Receiver<PidFileError>) {
    let (sender, told) = mpsc::channel();
    let watch = guard.watch(move |error| sender.send(error).expect("send"));
    (watch.expect("watch the file"), told)
}

/// Told once: the function is dropped after the call, and with it the sender.
fn assert_told(told: &Receiver<PidFileError>, guard: &PidGuard) {
    let error = told.recv_timeout(LONG).expect("the holder is told");
    assert!(matches!(error, PidFileError::Replaced { .. }), "{error}");
    assert_eq!(error.path(), Some(guard.path()));
    assert_eq!(
        told.recv_timeout(LONG).err(),
        Some(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn holder_is_told_that_its_file_was_removed() {
    let place = Place::new();
    let guard = place.held();
    let (_watch, told) = watch(&guard);
    fs::remove_file(place.path()).expect("remove the file");
    assert_told(&told, &guard);
}

#[test]
fn holder_is_told_that_its_file_was_replaced() {
    let place = Place::new();
    let guard = place.held();
    let (_watch, told) = watch(&guard);
    let other = place.path().with_extension("other");
    fs::write(&other, "").expect("create another file");
    fs::rename(&other, place.path()).expect("replace the file");
    assert_told(&told, &guard);
}

/// No event tells that.
#[test]
fn holder_is_told_that_its_directory_was_moved() {
    let dir = tempfile::tempdir().expect("create a directory");
    let guard = pidlock_core::PidFile::at(dir.path().join("old/app.pid")).acquire();
    let guard = guard.expect("acquire");
    let (_watch, told) = watch(&guard);
    fs::rename(dir.path().join("old"), dir.path().join("new")).expect("move the directory");
    assert_told(&told, &guard);
}

#[test]
fn release_is_not_reported() {
    for keep in [false, true] {
        let place = Place::new();
        let guard = place.file().keep(keep).acquire().expect("acquire");
        let (_watch, told) = watch(&guard);
        drop(guard);
        // The end of the watch, which it notices by the event.
        assert_eq!(
            told.recv_timeout(LONG).err(),
            Some(RecvTimeoutError::Disconnected)
        );
    }
}

#[test]
fn watch_that_is_dropped_reports_nothing() {
    let place = Place::new();
    let guard = place.held();
    let (watch, told) = watch(&guard);
    drop(watch);
    assert_eq!(
        told.recv_timeout(Duration::ZERO).err(),
        Some(RecvTimeoutError::Disconnected)
    );
    fs::remove_file(place.path()).expect("remove the file");
    drop(guard);
}

#[test]
fn watch_can_be_dropped_by_its_function() {
    let place = Place::new();
    let guard = place.held();
    let (pass, passed) = mpsc::channel::<Watch>();
    let (sender, told) = mpsc::channel();
    let watch = guard.watch(move |_| {
        drop(passed.recv());
        sender.send(()).expect("send");
    });
    pass.send(watch.expect("watch the file")).expect("send");
    fs::remove_file(place.path()).expect("remove the file");
    told.recv_timeout(LONG).expect("the function returns");
}

/// A function that panics does not end the watches of other files.
#[test]
fn panic_ends_only_its_own_watch() {
    let (first, second) = (Place::new(), Place::new());
    let (one, two) = (first.held(), second.held());
    let _panics = one.watch(|_| panic!("on purpose")).expect("watch");
    let (_watch, told) = watch(&two);
    fs::remove_file(first.path()).expect("remove the file");
    fs::remove_file(second.path()).expect("remove the file");
    assert_told(&told, &two);
}

#[test]
fn file_that_is_gone_is_not_watched() {
    let place = Place::new();
    let guard = place.held();
    fs::remove_file(place.path()).expect("remove the file");
    let error = guard.watch(|_| ()).expect_err("the file is gone");
    assert!(matches!(error, PidFileError::Replaced { .. }), "{error}");
}
