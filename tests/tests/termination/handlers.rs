//! Programs that handle signals in their own way.

use pidlock_tests::Program;
use rustix::process::Signal;

use super::{After, Ends, Place, check_refused, send, start, terminate};

const WAYS: [&str; 2] = ["guard", "function"];
const WHEN: [&str; 2] = ["before", "after"];
const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

#[test]
fn the_file_is_there_until_a_graceful_end_is_over_and_never_after() {
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
fn a_handler_that_lets_the_program_go_on_does_so() {
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

/// What a handler does that does not tell the program, but ends it: by `exit`, which removes the
/// file, or at once, which leaves it to the next start.
#[test]
fn handlers_that_end_the_program_themselves() {
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

/// Ours is no handler to be chained to: it cannot know whether the program is to end.
#[test]
fn called_by_the_handler_that_replaced_it_ours_does_nothing() {
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

/// Where the handler that replaced ours puts it back and sends the signal again, it is on top.
#[test]
fn put_back_and_signalled_again_ours_ends_the_program() {
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

/// `ctrlc::try_set_handler` declines where anybody has a handler, and so after us.
#[test]
fn who_installs_a_handler_only_where_there_is_none_must_come_before_us() {
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

/// As signal-hook's `emulate_default_handler` does: it takes away whatever is installed, and no
/// code of ours runs. The file is left to the next start, as by `kill -9`.
#[test]
fn the_default_effect_behind_our_back_leaves_the_file() {
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
