//! Replacing: the holder is stopped, and one process takes its place.

use std::fs;
use std::path::Path;
use std::process::Command;

use pidlock_tests::length::by_length;
use pidlock_tests::{Program, stale_record, text};

use super::{LONG, Place, assert_terminated};

fn replacer(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.arg("--at").arg(path).arg("--replace");
    Program::start(command.args(arguments))
}

#[test]
fn replacer_stops_the_holder_and_is_replaced_in_turn() {
    for arguments in [&[][..], &["--keep"], &["--no-lock"]] {
        let place = Place::new();
        let mut holder = place.hold(arguments);
        for _ in 0..2 {
            let mut next = replacer(&place.path, arguments);
            next.expect(&format!("held {}", place.path.display()));
            assert_eq!(text(&place.path), format!("{}\n", next.pid()));
            assert_terminated(&mut holder);
            holder = next;
        }
        let (status, rest) = holder.finish();
        assert!(status.success() && rest == "closed\n", "{rest:?}");
    }
}

#[test]
fn replacer_acquires_a_free_file() {
    let place = Place::new();
    for record in [None, Some(String::new()), Some(stale_record())] {
        if let Some(record) = record {
            fs::write(&place.path, record).expect("write the file");
        }
        let guard = place.file().replace(LONG).expect("the file is free");
        guard.verify().expect("the file is held");
        guard.close().expect("release");
    }
}

/// Waits until the process has found the holder, which it opens as a PID file descriptor.
fn wait_until_found(replacer: &Program) {
    let has_found = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", replacer.pid()));
        let mut descriptors = descriptors
            .expect("read the descriptors")
            .flatten()
            .peekable();
        assert!(descriptors.peek().is_some(), "the replacer has exited");
        let mut links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.any(|link| link.to_string_lossy().contains("pidfd"))
    };
    while !has_found() {
        std::thread::yield_now();
    }
}

/// Both replacers have found the holder before it releases the file. One succeeds it, and is not
/// signalled by the other.
#[test]
fn of_two_replacers_one_is_in_and_the_other_is_refused() {
    for round in 0..by_length(20, 100) {
        let place = Place::new();
        let settings: &[&str] = [&[][..], &["--keep"], &["--no-lock"]][round % 3];
        let mut old = place.hold(&[settings, &["--then", "serve"]].concat());
        let mut replacers = [(); 2].map(|()| replacer(&place.path, settings));
        for replacer in &replacers {
            wait_until_found(replacer);
        }
        old.expect("asked");
        old.tell("release");
        if settings == ["--no-lock"] {
            old.go_on(); // a replacer waits for the end of the process then
        }
        let lines = replacers.each_mut().map(Program::line);
        let held = format!("held {}", place.path.display());
        let winner = lines.iter().position(|line| *line == held);
        let winner = winner.unwrap_or_else(|| panic!("round {round}: {lines:?}"));
        let (refused, pid) = (&lines[1 - winner], replacers[winner].pid().to_string());
        let prefix = format!("refused: pidfile '{}'", place.path.display());
        assert!(
            refused.starts_with(&prefix) && refused.contains(&pid),
            "round {round}: {refused}"
        );
        assert_eq!(
            replacers[1 - winner].wait().code(),
            Some(3),
            "round {round}"
        );
        let (status, rest) = replacers[winner].finish();
        assert!(
            status.success() && rest == "closed\n",
            "round {round}: {status}"
        );
        old.finish();
    }
}
