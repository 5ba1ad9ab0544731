//! Children of a holder: whatever becomes of them, the pidfile is not theirs.

use pidlock_core::PidFile;
use pidlock_tests::{Program, is_root, skip_for_this_user};
use rustix::process::Signal;

use super::{After, Ends, Place, check_refused, start, terminate};

const WAYS: [&str; 3] = ["guard", "function", "static"];

struct Row {
    method: &'static str,
    end: &'static str,
    /// As its parent is told.
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
            // The guard still verifies, or this would be an error.
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
fn a_child_neither_removes_the_file_nor_frees_the_lock() {
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
fn a_child_has_no_share_in_its_parents_file_but_can_have_its_own() {
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
fn the_first_process_of_a_new_pid_namespace_is_a_child_like_any_other() {
    if !is_root() {
        return skip_for_this_user("only root can make a PID namespace");
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

/// Its parent's number is 1, and so is its own.
#[test]
fn a_child_with_its_parents_number_is_another_process() {
    if !is_root() {
        return skip_for_this_user("only root can make a PID namespace");
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
            place.check_held(true, 1, &what);
            assert_eq!(Ends::of(program.finish().0), Some(Ends::Code(0)), "{what}");
            place.check(After::Gone, 1, &what);
        }
    }
}

/// The child has a copy of the guard, and so a share in the lock. That must not keep the next
/// start out of a file that is gone; of one that was kept, only after a signal, whose handler may
/// not give a lock back.
#[test]
fn a_child_that_outlives_its_parent_does_not_keep_the_next_start_out() {
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
                    let place = Place::new(2);
                    let mut program = start(&what, &place);
                    assert_eq!(Ends::of(program.wait()), Some(ends), "{what}");
                    place.check(keeps(settings), program.pid(), &what);
                    let waits = settings == "--keep" && end == "signal";
                    if waits {
                        check_refused(place.path(), lock, None, &what);
                    } else {
                        place.check_next_start(lock, &what);
                    }
                    // The child ends with its input, and its copies of the guards change nothing.
                    let (_, said) = program.finish();
                    assert_eq!(said, "", "{what}");
                    if waits {
                        check_free_soon(&place, &what);
                    }
                    assert_eq!(place.all(), [], "{what}");
                }
            }
        }
    }
}

/// Who has closed its output may still be about to close the rest.
fn check_free_soon(place: &Place, what: &str) {
    for path in &place.paths {
        loop {
            match PidFile::at(path).acquire() {
                Ok(guard) => break guard.close().expect("an end"),
                Err(error) => assert!(error.is_contention(), "{what}: {error}"),
            }
        }
    }
}

/// The child stands between fork and exec, and has a copy of every descriptor.
#[test]
fn a_program_that_is_just_being_started_does_not_inherit_the_lock() {
    for way in ["guard", "function"] {
        for settings in ["", "--keep", "--no-lock"] {
            let arguments = format!("{settings} {way} spawn");
            let place = Place::new(2);
            let mut program = start(&arguments, &place);
            program.expect("released");
            place.check(keeps(settings), program.pid(), &arguments);
            place.check_next_start(!settings.contains("--no-lock"), &arguments);
            let (status, said) = program.finish();
            assert_eq!(Ends::of(status), Some(Ends::Code(0)), "{arguments}: {said}");
        }
    }
}

#[test]
fn spawned_program_does_not_inherit_the_lock_when_its_parent_exits() {
    for way in ["guard", "function", "static"] {
        for settings in ["", "--keep"] {
            let arguments = format!("{settings} {way} spawn_exit");
            let place = Place::new(2);
            let mut program = start(&arguments, &place);
            program.go_on();
            assert_eq!(Ends::of(program.wait()), Some(Ends::Code(7)), "{arguments}");
            place.check(keeps(settings), program.pid(), &arguments);
            place.check_next_start(true, &arguments);
        }
    }
}
