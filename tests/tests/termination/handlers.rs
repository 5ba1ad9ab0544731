//! Programs with signal handlers of their own.

use pidlock_tests::Program;
use rustix::process::Signal;

use super::{After, Ends, Place, check_refused, send, start, terminate};

const WAYS: [&str; 2] = ["guard", "function"];
const WHEN: [&str; 2] = ["before", "after"];
const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

#[test]
fn graceful_shutdown_holds_the_file_to_its_end_and_then_removes_it() {
    for kind in ["tokio", "signal-hook", "ctrlc", "sigaction", "sigwait"] {
        for when in WHEN {
            for way in WAYS {
                for signal in SIGNALS {
                    let arguments = format!("--handler-{when} {kind} {way} graceful");
                    let what = format!("{arguments} {signal:?}");
                    let place = Place::new(2);
                    let mut program = start(&arguments, &place);
                    send(signal, program.pid());
                    assert_eq!(program.line(), "ending", "{what}");
                    place.check_held(true, program.pid(), &what);
                    let (status, _) = program.finish();
                    assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{what}");
                    place.check(After::Gone, program.pid(), &what);
                    place.check_next_start(true, &what);
                }
            }
        }
    }
}

#[test]
fn signal_whose_handler_returns_leaves_the_file_held() {
    for when in WHEN {
        for way in WAYS {
            for signal in SIGNALS {
                let arguments = format!("--handler-{when} notes {way} return");
                let what = format!("{arguments} {signal:?}");
                let place = Place::new(1);
                let mut program = start(&arguments, &place);
                send(signal, program.pid());
                assert_eq!(program.line(), "noted", "{what}");
                place.check_held(true, program.pid(), &what);
                let (status, _) = program.finish();
                assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{what}");
                place.check(After::Gone, program.pid(), &what);
            }
        }
    }
}

/// `exit` in a handler removes the file. `_exit` leaves it to the next start.
#[test]
fn exit_in_a_handler_removes_the_file_and_immediate_exit_leaves_it() {
    for (kind, ends, after) in [
        ("exits", Ends::Code(7), After::Gone),
        ("_exits", Ends::Code(7), After::Stays),
    ] {
        for when in WHEN {
            for way in WAYS {
                let what = format!("--handler-{when} {kind} {way} return");
                let place = Place::new(1);
                let mut program = start(&what, &place);
                send(Signal::TERM, program.pid());
                assert_eq!(Ends::of(program.wait()), Some(ends), "{what}");
                place.check(after, program.pid(), &what);
                place.check_next_start(true, &what);
            }
        }
    }
}

/// pidlock's handler must not end the program when another handler chains to it: only the other
/// handler knows whether the program ends.
#[test]
fn pidlock_handler_called_by_a_later_handler_does_nothing() {
    for way in WAYS {
        let what = format!("--handler-after chains {way} return");
        let place = Place::new(1);
        let mut program = start(&what, &place);
        send(Signal::TERM, program.pid());
        program.expect("returned");
        place.check_held(true, program.pid(), &what);
        let (status, _) = program.finish();
        assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{what}");
        place.check(After::Gone, program.pid(), &what);
    }
}

/// A later handler reinstalls pidlock's handler and raises the signal again.
#[test]
fn pidlock_handler_that_is_reinstalled_ends_the_program() {
    for way in WAYS {
        for signal in SIGNALS {
            let what = format!("--handler-after restores {way} return");
            let place = Place::new(2);
            let mut program = start(&what, &place);
            send(signal, program.pid());
            assert_eq!(Ends::of(program.wait()), Some(Ends::By(signal)), "{what}");
            place.check(After::Gone, program.pid(), &what);
            place.check_next_start(true, &what);
        }
    }
}

/// `ctrlc::try_set_handler` fails if the signal has a handler, and an acquire installs pidlock's.
#[test]
fn ctrlc_try_set_handler_succeeds_only_before_the_acquire() {
    for way in WAYS {
        let place = Place::new(1);
        let arguments = format!("--handler-before tries-ctrlc {way} graceful");
        let mut program = Program::start(&mut terminate(&arguments, &place));
        program.expect("tried: Ok(())");
        program.expect("held");
        send(Signal::INT, program.pid());
        program.expect("ending");
        place.check_held(true, program.pid(), &arguments);
        assert_eq!(Ends::of(program.finish().0), Some(Ends::Code(0)));
        place.check(After::Gone, program.pid(), &arguments);

        let arguments = format!("--handler-after tries-ctrlc {way} graceful");
        let mut program = Program::start(&mut terminate(&arguments, &place));
        program.expect("tried: Err(MultipleHandlers)");
        program.expect("held");
        send(Signal::INT, program.pid());
        assert_eq!(Ends::of(program.wait()), Some(Ends::By(Signal::INT)));
        place.check(After::Gone, program.pid(), &arguments);
    }
}

/// signal-hook's `emulate_default_handler` restores the default action and raises the signal, so no
/// code of pidlock runs. The file is left to the next start, as after `kill -9`.
#[test]
fn default_action_emulated_by_signal_hook_leaves_the_file() {
    for way in WAYS {
        for when in WHEN {
            let what = format!("--handler-{when} emulates {way} graceful");
            let place = Place::new(1);
            let mut program = start(&what, &place);
            check_refused(place.path(), true, Some(program.pid()), &what);
            send(Signal::TERM, program.pid());
            assert_eq!(Ends::of(program.wait()), Some(Ends::By(Signal::TERM)));
            place.check(After::Stays, program.pid(), &what);
            place.check_next_start(true, &what);
        }
    }
}
