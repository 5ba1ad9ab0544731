//! Exits and termination signals of programs without signal handlers of their own.

use std::fs;

use pidlock_tests::{Program, has_tool, is_root, skip, skip_for_this_user, text};
use rustix::process::Signal;

use super::{After, Ends, Place, send, start, terminate};
use After::{Empty, Gone, Stays};
use Ends::{By, Code};

/// A guard, and a function with the attribute.
const BOTH: &[&str] = &["guard", "function"];
const GUARD: &[&str] = &["guard"];
const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

struct Row {
    ways: &'static [&'static str],
    settings: &'static str,
    how: &'static str,
    signals: &'static [Signal],
    pidfiles: usize,
    ends: Ends,
    after: After,
}

/// A program that ends without a signal.
const fn end(
    ways: &'static [&'static str],
    settings: &'static str,
    how: &'static str,
    ends: Ends,
    after: After,
) -> Row {
    Row {
        ways,
        settings,
        how,
        signals: &[],
        pidfiles: 1,
        ends,
        after,
    }
}

/// A program that receives signals, and returns from `main` if it survives them.
const fn signal(
    ways: &'static [&'static str],
    settings: &'static str,
    signals: &'static [Signal],
    ends: Ends,
    after: After,
) -> Row {
    Row {
        signals,
        ..end(ways, settings, "return", ends, after)
    }
}

const fn several(pidfiles: usize, row: Row) -> Row {
    Row { pidfiles, ..row }
}

impl Row {
    fn check(&self) {
        for way in self.ways {
            let arguments = format!("{} {way} {}", self.settings, self.how);
            let what = format!("{arguments} {:?}", self.signals);
            let lock = !self.settings.contains("--no-lock");
            let place = Place::new(self.pidfiles);
            let mut program = start(&arguments, &place);
            place.check_held(lock, program.pid(), &what);
            for &signal in self.signals {
                send(signal, program.pid());
            }
            program.go_on();
            assert_eq!(Ends::of(program.wait()), Some(self.ends), "{what}");
            place.check(self.after, program.pid(), &what);
            place.check_next_start(lock, &what);
        }
    }
}

#[test]
fn exit_removes_the_file_and_abort_leaves_it() {
    const ANY: &[&str] = &["guard", "function", "leak", "static", "thread_local"];
    const NEVER_DROPPED: &[&str] = &["leak", "static"];
    for row in [
        end(ANY, "", "return", Code(0), Gone),
        end(ANY, "", "error", Code(1), Gone),
        end(ANY, "", "panic", Code(101), Gone),
        end(ANY, "", "exit", Code(7), Gone),
        end(ANY, "", "exit_elsewhere", Code(7), Gone),
        end(ANY, "", "_exit", Code(7), Stays),
        end(ANY, "", "abort", By(Signal::ABORT), Stays),
        end(ANY, "--keep", "return", Code(0), Empty),
        end(ANY, "--keep", "exit", Code(7), Empty),
        end(ANY, "--keep", "abort", By(Signal::ABORT), Stays),
        end(ANY, "--no-lock", "return", Code(0), Gone),
        end(ANY, "--no-lock", "exit", Code(7), Gone),
        end(ANY, "--no-lock", "abort", By(Signal::ABORT), Stays),
        end(ANY, "--no-lock --keep", "exit", Code(7), Empty),
        several(40, end(ANY, "", "exit", Code(7), Gone)),
        several(3, end(ANY, "", "panic", Code(101), Gone)),
        several(3, end(ANY, "--keep", "_exit", Code(7), Stays)),
        end(GUARD, "--no-at-exit", "return", Code(0), Gone),
        end(GUARD, "--no-at-exit", "panic", Code(101), Gone),
        end(GUARD, "--no-at-exit", "exit", Code(7), Stays),
        end(NEVER_DROPPED, "--no-at-exit", "return", Code(0), Stays),
        end(NEVER_DROPPED, "--ignore-signals", "return", Code(0), Gone),
        end(
            GUARD,
            "--ignore-signals --no-at-exit",
            "return",
            Code(0),
            Gone,
        ),
        end(
            GUARD,
            "--ignore-signals --no-at-exit",
            "exit",
            Code(7),
            Stays,
        ),
    ] {
        row.check();
    }
}

#[test]
fn termination_signal_removes_the_file_and_sigkill_leaves_it() {
    for number in SIGNALS {
        let signals: &'static [Signal] = match number {
            Signal::TERM => &[Signal::TERM],
            Signal::INT => &[Signal::INT],
            _ => &[Signal::HUP],
        };
        for row in [
            signal(BOTH, "", signals, By(number), Gone),
            signal(
                &["leak", "static", "thread_local"],
                "",
                signals,
                By(number),
                Gone,
            ),
            signal(BOTH, "--keep", signals, By(number), Empty),
            signal(BOTH, "--no-lock", signals, By(number), Gone),
            signal(BOTH, "--no-lock --keep", signals, By(number), Empty),
            several(3, signal(BOTH, "", signals, By(number), Gone)),
            several(40, signal(BOTH, "", signals, By(number), Gone)),
            signal(GUARD, "--force", signals, By(number), Gone),
            signal(GUARD, "--no-at-exit", signals, By(number), Gone),
            signal(GUARD, "--ignore-signals", signals, By(number), Stays),
            signal(
                GUARD,
                "--force --handler-before notes",
                signals,
                By(number),
                Gone,
            ),
        ] {
            row.check();
        }
    }
    for row in [
        signal(BOTH, "", &[Signal::KILL], By(Signal::KILL), Stays),
        signal(BOTH, "--keep", &[Signal::KILL], By(Signal::KILL), Stays),
        signal(BOTH, "--no-lock", &[Signal::KILL], By(Signal::KILL), Stays),
        several(
            3,
            signal(BOTH, "", &[Signal::KILL], By(Signal::KILL), Stays),
        ),
    ] {
        row.check();
    }
}

#[test]
fn ignored_signal_stays_ignored_unless_forced() {
    const HUP: &[Signal] = &[Signal::HUP];
    for row in [
        signal(BOTH, "--ignore 1", HUP, Code(0), Gone),
        signal(
            BOTH,
            "--ignore 1",
            &[Signal::HUP, Signal::TERM],
            By(Signal::TERM),
            Gone,
        ),
        signal(
            BOTH,
            "--ignore 15 --ignore 2",
            &[Signal::TERM, Signal::INT],
            Code(0),
            Gone,
        ),
        signal(GUARD, "--ignore 1 --ignore-signals", HUP, Code(0), Gone),
        signal(GUARD, "--ignore 1 --force", HUP, By(Signal::HUP), Gone),
    ] {
        row.check();
    }
}

#[test]
fn file_without_cleanup_stays_while_other_files_are_removed() {
    for (settings, how, signal, ends) in [
        (
            "--ignore-signals",
            "return",
            Some(Signal::TERM),
            By(Signal::TERM),
        ),
        ("--no-at-exit", "exit", None, Code(7)),
    ] {
        let place = Place::new(3);
        let arguments = format!("--first-only {settings} guard {how}");
        let mut program = start(&arguments, &place);
        place.check_held(true, program.pid(), &arguments);
        if let Some(signal) = signal {
            send(signal, program.pid());
        }
        program.go_on();
        assert_eq!(Ends::of(program.wait()), Some(ends), "{arguments}");
        let first = (place.path().to_owned(), format!("{}\n", program.pid()));
        assert_eq!(place.all(), [first], "{arguments}");
        place.check_next_start(true, &arguments);
    }
}

const THREE_ENDS: [(&str, Option<Signal>, Ends); 3] = [
    ("return", None, Code(0)),
    ("exit", None, Code(7)),
    ("return", Some(Signal::TERM), By(Signal::TERM)),
];

/// The new file belongs to another program.
#[test]
fn file_that_replaced_the_pidfile_is_left_unchanged() {
    for (how, signal, ends) in THREE_ENDS {
        for settings in ["", "--keep", "--no-lock"] {
            for way in ["guard", "function", "static"] {
                let place = Place::new(1);
                let arguments = format!("{settings} {way} {how}");
                let mut program = start(&arguments, &place);
                fs::remove_file(place.path()).expect("remove the pidfile");
                fs::write(place.path(), "theirs").expect("write another file");
                if let Some(signal) = signal {
                    send(signal, program.pid());
                }
                program.go_on();
                assert_eq!(Ends::of(program.wait()), Some(ends), "{arguments}");
                assert_eq!(text(place.path()), "theirs", "{arguments} {signal:?}");
            }
        }
    }
}

/// The pidfile was closed, and its descriptor number now refers to another file, which must not be
/// truncated. The pidfile must not be removed either: closing it released the lock, so it may
/// belong to a later holder.
#[test]
fn guard_whose_descriptor_is_reused_changes_neither_file() {
    for (how, signal, ends) in THREE_ENDS {
        for settings in ["", "--keep", "--no-lock"] {
            for way in ["guard", "function", "static"] {
                let place = Place::new(2);
                let other = tempfile::NamedTempFile::new().expect("create a file");
                fs::write(&other, "theirs").expect("write the other file");
                let other = other.path();
                let arguments = format!("{settings} --lose-to {} {way} {how}", other.display());
                let mut program = start(&arguments, &place);
                if let Some(signal) = signal {
                    send(signal, program.pid());
                }
                program.go_on();
                assert_eq!(Ends::of(program.wait()), Some(ends), "{arguments}");
                assert_eq!(text(other), "theirs", "{arguments} {signal:?}");
                place.check(Stays, program.pid(), &arguments);
                place.check_next_start(settings != "--no-lock", &arguments);
            }
        }
    }
}

#[test]
fn sighup_under_nohup_changes_nothing() {
    if !has_tool("nohup") {
        return skip("there is no nohup");
    }
    for way in BOTH {
        let place = Place::new(1);
        let mut nohup = std::process::Command::new("nohup");
        let terminate = terminate(&format!("--signals-as-started {way} return"), &place);
        let mut program = Program::start(
            nohup
                .arg(terminate.get_program())
                .args(terminate.get_args()),
        );
        program.expect("held");
        send(Signal::HUP, program.pid());
        place.check_held(true, program.pid(), way);
        let (status, _) = program.finish();
        assert_eq!(Ends::of(status), Some(Code(0)), "{way}");
        place.check(Gone, program.pid(), way);
    }
}

#[test]
fn panic_in_one_thread_releases_only_the_file_of_that_thread() {
    for way in ["threads", "annotated_threads"] {
        let place = Place::new(2);
        let mut program = Program::start(&mut terminate(way, &place));
        program.expect("one panicked");
        let others = format!("{}\n", program.pid());
        assert_eq!(place.all(), [(place.paths[1].clone(), others)], "{way}");
        super::check_refused(&place.paths[1], true, Some(program.pid()), way);
        pidlock_core::PidFile::at(place.path())
            .acquire()
            .expect("acquire the file of the thread that panicked")
            .close()
            .expect("release");
        let (status, _) = program.finish();
        assert_eq!(Ends::of(status), Some(Code(0)), "{way}");
        place.check_next_start(true, way);
    }
}

/// The program can leave a file that one of its threads is creating when it exits.
#[test]
fn exit_while_other_threads_acquire_and_drop_removes_the_static_guards_file() {
    for _ in 0..30 {
        let place = Place::new(5);
        let mut program = start("busy exit", &place);
        let (status, _) = program.finish();
        assert_eq!(Ends::of(status), Some(Code(7)));
        assert!(!place.path().exists(), "the static guard's file is removed");
        place.check_next_start(true, "busy");
    }
}

/// PID 1 of a PID namespace ignores signals without a handler. In a container without an init
/// process, the program itself is PID 1.
#[test]
fn pid_1_exits_with_128_plus_the_signal_and_removes_its_file() {
    if !is_root() {
        return skip_for_this_user("only root can create a PID namespace");
    }
    for way in BOTH {
        for (settings, signal, ends, after) in [
            ("", None, Code(0), Gone),
            ("", Some(Signal::TERM), Code(128 + 15), Gone),
            ("", Some(Signal::INT), Code(128 + 2), Gone),
            ("", Some(Signal::HUP), Code(128 + 1), Gone),
            ("--keep", Some(Signal::TERM), Code(128 + 15), Empty),
            ("--no-lock", Some(Signal::TERM), Code(128 + 15), Gone),
            ("--ignore 15", Some(Signal::TERM), Code(0), Gone),
            // `terminate` exits with 99 if its PID 1 is killed.
            ("", Some(Signal::KILL), Code(99), Stays),
        ] {
            let what = format!("{way} {settings} {signal:?}");
            let arguments = format!("--as-init {settings} {way} return");
            let place = Place::new(2);
            let mut program = Program::start(&mut terminate(&arguments, &place));
            let init = program.line();
            let init = init.strip_prefix("init ").and_then(|n| n.parse().ok());
            program.expect("held");
            if let Some(signal) = signal {
                send(signal, init.expect("a valid PID"));
            }
            program.go_on();
            assert_eq!(Ends::of(program.wait()), Some(ends), "{what}");
            place.check(after, 1, &what);
            // A file that was left contains PID 1. The next program is PID 1, too, and takes the
            // file over.
            let mut next = Program::start(&mut terminate(&arguments, &place));
            assert!(next.line().starts_with("init "), "{what}");
            next.expect("held");
            assert_eq!(Ends::of(next.finish().0), Some(Code(0)), "{what}");
        }
    }
}
