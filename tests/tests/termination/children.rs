//! Children of a holder. A child never removes its parent's pidfile, and a forked child shares the
//! lock until it exits or calls exec.

use pidlock_core::PidFile;
use pidlock_tests::{Program, is_root, skip_for_this_user};
use rustix::process::Signal;

use super::{After, Ends, Place, start, terminate};

const WAYS: [&str; 3] = ["guard", "function", "static"];

struct Row {
    method: &'static str,
    end: &'static str,
    /// How the child ends, as its parent prints it.
    ends: &'static str,
}

const fn row(method: &'static str, end: &'static str, ends: &'static str) -> Row {
    Row { method, end, ends }
}

impl Row {
    fn check(&self, settings: &str) {
        for way in WAYS {
            let arguments = format!("{settings} {way} child {} {}", self.method, self.end);
            let lock = !settings.contains("--no-lock");
            let place = Place::new(2);
            let mut program = start(&arguments, &place);
            let line = program.line();
            assert_eq!(line, format!("child {}", self.ends), "{arguments}");
            place.check_held(lock, program.pid(), &arguments);
            place.check(After::Stays, program.pid(), &arguments);
            // The parent exits with an error if the `verify` of its guard fails.
            let (status, said) = program.finish();
            assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{arguments}: {said}");
            place.check(keeps(settings), program.pid(), &arguments);
            place.check_next_start(lock, &arguments);
        }
    }
}

fn keeps(settings: &str) -> After {
    match settings {
        "--keep" => After::Empty,
        _ => After::Gone,
    }
}

#[test]
fn child_that_exits_or_calls_exec_leaves_the_parents_file_and_lock() {
    for row in [
        row("fork", "return", "exited 0"),
        row("fork", "exit", "exited 0"),
        row("fork", "_exit", "exited 0"),
        row("fork", "term", "died of 15"),
        row("fork", "exec", "exited 0"),
        row("clone", "return", "exited 0"),
        row("clone", "exit", "exited 0"),
        row("clone", "_exit", "exited 0"),
        row("clone", "term", "died of 15"),
        row("clone", "exec", "exited 0"),
        row("vfork", "_exit", "exited 0"),
        row("vfork", "term", "died of 15"),
        row("vfork", "exec", "exited 0"),
    ] {
        for settings in ["", "--keep", "--no-lock"] {
            row.check(settings);
        }
    }
}

#[test]
fn child_of_a_holder_is_refused_the_parents_file_and_can_acquire_another() {
    for row in [
        row("fork", "own", "died of 15"),
        row("fork", "own_exit", "exited 0"),
        row("clone", "own", "died of 15"),
        row("clone", "own_exit", "exited 0"),
        row("fork", "same", "exited 0"),
        row("clone", "same", "exited 0"),
    ] {
        row.check("");
    }
}

#[test]
fn child_in_a_new_pid_namespace_leaves_the_parents_file_and_lock() {
    if !is_root() {
        return skip_for_this_user("only root can create a PID namespace");
    }
    for row in [
        row("namespace", "return", "exited 0"),
        row("namespace", "exit", "exited 0"),
        row("namespace", "_exit", "exited 0"),
        row("namespace", "term", "exited 143"),
        row("namespace", "exec", "exited 0"),
        row("namespace", "own", "exited 143"),
        row("namespace", "own_exit", "exited 0"),
    ] {
        row.check("");
    }
}

/// The parent and the child are both PID 1, each of a different PID namespace. The error of a
/// refused start contains the recorded PID, which is valid in the holder's namespace. It contains
/// no PID if the holder wrote the record long after it created the file: such a record has to be
/// confirmed, but PID 1 in the namespace of the test is another process.
#[test]
fn child_with_the_pid_of_its_parent_leaves_the_parents_file_and_lock() {
    if !is_root() {
        return skip_for_this_user("only root can create a PID namespace");
    }
    for way in WAYS {
        for (end, ends) in [
            ("return", "exited 0"),
            ("exit", "exited 0"),
            ("term", "exited 143"),
            ("own", "exited 143"),
            ("own_exit", "exited 0"),
        ] {
            let what = format!("--as-init {way} child namespace {end}");
            let place = Place::new(2);
            let mut program = Program::start(&mut terminate(&what, &place));
            assert!(program.line().starts_with("init "), "{what}");
            program.expect("held");
            assert_eq!(program.line(), format!("child {ends}"), "{what}");
            place.check(After::Stays, 1, &what);
            for path in &place.paths {
                let error = PidFile::at(path).acquire().expect_err(&what);
                assert!(error.is_contention(), "{what}: {error}");
                assert!([None, Some(1)].contains(&error.pid()), "{what}: {error}");
            }
            assert_eq!(Ends::of(program.finish().0), Some(Ends::Code(0)), "{what}");
            place.check(After::Gone, 1, &what);
        }
    }
}

/// A forked child has a copy of the guard and shares the lock, so the next start is refused until
/// the child exits. Without a lock there is nothing to share. A raw clone(2) runs no fork handlers,
/// so the parent does not know about the child, and its release must free the file all the same.
#[test]
fn parent_that_ends_before_its_child_leaves_lock_and_blank_file_to_it() {
    for way in WAYS {
        for method in ["fork", "clone"] {
            for settings in ["", "--keep", "--no-lock"] {
                for (end, ends) in [
                    ("return", Ends::Code(0)),
                    ("exit", Ends::Code(0)),
                    ("signal", Ends::By(Signal::TERM)),
                ] {
                    let what = format!("{settings} {way} child {method} outlive_{end}");
                    let lock = settings != "--no-lock";
                    let is_shared = lock && method == "fork";
                    let place = Place::new(2);
                    let mut program = start(&what, &place);
                    assert_eq!(Ends::of(program.wait()), Some(ends), "{what}");
                    if is_shared {
                        place.check_left_to_child(&what);
                    } else {
                        place.check(keeps(settings), program.pid(), &what);
                        place.check_next_start(lock, &what);
                    }
                    // The child ends when its input does. Its copies of the guards change nothing.
                    let (_, said) = program.finish();
                    assert_eq!(said, "", "{what}");
                    if is_shared {
                        acquire_soon(&place, &what);
                    }
                    assert_eq!(place.all(), [], "{what}");
                }
            }
        }
    }
}

/// Retries until each pidfile can be acquired. A child that has closed its output may not have
/// closed the pidfiles yet.
fn acquire_soon(place: &Place, what: &str) {
    for path in &place.paths {
        loop {
            match PidFile::at(path).acquire() {
                Ok(guard) => break guard.close().expect("release"),
                Err(error) => assert!(error.is_contention(), "{what}: {error}"),
            }
        }
    }
}

/// The test keeps a child between fork and exec, where the child has a copy of every file
/// descriptor. Exec closes the copies, and the child no longer shares the lock.
#[test]
fn release_between_fork_and_exec_of_a_child_leaves_file_free_after_exec() {
    for way in ["guard", "function"] {
        for settings in ["", "--keep", "--no-lock"] {
            let arguments = format!("{settings} {way} spawn");
            let lock = !settings.contains("--no-lock");
            let place = Place::new(2);
            let mut program = start(&arguments, &place);
            program.expect("released");
            if lock {
                place.check_left_to_child(&arguments);
            } else {
                place.check(After::Gone, program.pid(), &arguments);
            }
            let (status, said) = program.finish();
            assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{arguments}: {said}");
            place.check_next_start(lock, &arguments);
        }
    }
}

/// The child calls exec only after its parent has exited.
#[test]
fn exit_between_fork_and_exec_of_a_child_leaves_file_free_after_exec() {
    for way in ["guard", "function", "static"] {
        for settings in ["", "--keep"] {
            let arguments = format!("{settings} {way} spawn_exit");
            let place = Place::new(2);
            let mut program = start(&arguments, &place);
            program.go_on();
            assert_eq!(Ends::of(program.wait()), Some(Ends::Code(7)), "{arguments}");
            let blank = place.paths.iter().map(|path| (path.clone(), String::new()));
            assert_eq!(place.all(), blank.collect::<Vec<_>>(), "{arguments}");
            acquire_soon(&place, &arguments);
            assert_eq!(place.all(), [], "{arguments}");
        }
    }
}
