//! However a program ends: what happens to its file, and that the next start is in.

use pidlock_core::PidFile;
use pidlock_portable::{Running, TempDir, holder, is_beyond_wine, protocols};

/// Ends a holder in this way. Returns whether its file is still there.
fn leaves_file(options: &[&str], status: Option<i32>) -> bool {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut running = Running::start(&mut holder(&path, options));
    let ended = running.end();
    if status.is_some() {
        assert_eq!(ended, status, "{options:?}");
    }
    let is_left = path.exists();
    let next = PidFile::at(&path).lock(!options.contains(&"unlocked"));
    next.acquire()
        .expect("the next start is in")
        .close()
        .expect("release");
    is_left
}

#[test]
fn return_panic_and_exit_remove_the_file() {
    let by_guard = [("drop", 0), ("panic", 101)];
    let by_handler = match is_beyond_wine("exit of a program") {
        true => &[][..],
        false => &[("exit", 7), ("thread", 7), ("return", 7)],
    };
    for &settings in protocols() {
        for &(end, status) in by_guard.iter().chain(by_handler) {
            let end = format!("end={end}");
            let options = [settings, &[&end]].concat();
            assert!(!leaves_file(&options, Some(status)), "{options:?}");
        }
    }
}

#[test]
fn exit_empties_a_file_that_is_kept() {
    if is_beyond_wine("exit of a program") {
        return;
    }
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let mut running = Running::start(&mut holder(&path, &["keep", "end=exit"]));
    assert_eq!(running.end(), Some(7));
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file is kept"),
        ""
    );
}

#[test]
fn abort_leaves_a_file_that_the_next_start_takes_over() {
    for &settings in protocols() {
        assert!(leaves_file(&[settings, &["end=abort"]].concat(), None));
    }
}
