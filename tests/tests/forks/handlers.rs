//! Signal handlers that change between two acquires of one process.

use pidlock_tests::text;
use rustix::process::Signal;

use super::{Place, check_died_of, forker, holding, send};

const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

fn check_signal_removes(what: &str) {
    for signal in SIGNALS {
        let place = Place::new();
        let mut program = holding(what, &place.path);
        send(signal, program.pid());
        check_died_of(signal, program.wait(), what);
        place.check_gone(what);
    }
}

fn check_signal_leaves(what: &str) {
    for signal in SIGNALS {
        let place = Place::new();
        let mut program = holding(what, &place.path);
        send(signal, program.pid());
        check_died_of(signal, program.wait(), what);
        assert_eq!(text(&place.path), format!("{}\n", program.pid()), "{what}");
        place.check_next_start(what);
    }
}

#[test]
fn signal_set_back_to_its_default_between_two_acquires_removes_the_second_file() {
    check_signal_removes("default-between");
}

#[test]
fn signal_handled_by_the_program_only_at_the_first_acquire_removes_the_second_file() {
    check_signal_removes("own-first");
}

#[test]
fn signal_with_handlers_off_leaves_the_file() {
    check_signal_leaves("off");
}

/// The handler that the first acquire installed must not remove the second file.
#[test]
fn signal_with_handlers_off_at_the_second_acquire_leaves_the_second_file() {
    check_signal_leaves("off-later");
}

#[test]
fn handler_that_another_thread_sets_during_an_acquire_stays() {
    let place = Place::new();
    let mut program = forker("set-meanwhile", &place.path);
    assert_eq!(program.line(), "lost 0");
    assert!(program.finish().0.success());
}
