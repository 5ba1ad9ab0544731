//! Kills before and after every system call.

use pidlock_tests::length;
use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::{CASES, Case, Initial};
use super::place::{Checked, Place};
use super::runs::{Moment, Run, TAKEN, each};
use super::tally::Tally;

/// Kills the process at the moment with this number. Returns a description of the moment and the
/// outcome of the checks; `None` if the process exits before that moment.
fn die(case: Case, number: usize, figures: &mut Figures) -> Option<(String, Checked)> {
    let mut place = Place::new(case);
    let mut run = Run::start(case, &place.path);
    let mut moments = 0;
    let died_at = loop {
        let moment = run.advance();
        place.end_holder_at_sleep(moment);
        match moment {
            moment @ (Moment::Before(_) | Moment::After(_)) => {
                if moments == number {
                    break moment;
                }
                moments += 1;
            }
            Moment::Mark(TAKEN) => {
                if run.stepper.line() == "in" {
                    figures.holds += 1;
                    // Between acquisition and release no other process can acquire the file.
                    if let Err(wrong) = place.check_taken() {
                        return Some((format!("{case:?}, while the file is held"), Err(wrong)));
                    }
                }
            }
            Moment::Mark(_) => {}
            Moment::Ended(ending) => {
                assert_eq!(ending, Ending::Code(0), "{case:?}");
                let rest = run.stepper.wait_for_all();
                assert!(!rest.contains("unsound"), "{case:?}: {rest}");
                return None;
            }
        }
    };
    run.stepper.kill();
    let rest = run.stepper.wait_for_all();
    let checked = check_after(&mut place, &rest);
    figures.holds += u64::from(checked.is_ok());
    Some((format!("{case:?}, {died_at:?}, number {number}"), checked))
}

fn check_after(place: &mut Place, rest: &str) -> Checked {
    if rest.contains("unsound") {
        return Err(rest.to_owned());
    }
    place.check_others(!place.is_held())?;
    place.check_holder()?;
    place.check_free()
}

pub(crate) fn test(cases: &[Case], what: &str) {
    let tally = Tally::default();
    each(cases.iter().copied().enumerate(), |(job, case)| {
        for number in length::calls(job) {
            let mut figures = Figures::default();
            let Some((what, checked)) = die(case, number, &mut figures) else {
                assert!(number > 1, "{case:?}: too few system calls");
                break;
            };
            tally.add(&what, figures, checked);
        }
    });
    tally.finish(what);
}

#[test]
fn kill_at_any_syscall_lets_the_next_start_succeed() {
    test(CASES, "death before and after every system call");
}

/// The kill tests rely on this: a process that is killed before a call does not make the call.
#[test]
fn process_killed_before_a_syscall_does_not_make_the_call() {
    let case = Case {
        initial: Initial::Nothing,
        arguments: "close",
    };
    let is_removal =
        |moment| matches!(moment, Moment::Before(call) | Moment::After(call) if call.is_unlink());
    for stays in [true, false] {
        let place = Place::new(case);
        let mut run = Run::start(case, &place.path);
        loop {
            let moment = run.advance();
            if is_removal(moment) {
                break;
            }
            assert!(
                !matches!(moment, Moment::Ended(_)),
                "no call removed the file"
            );
        }
        if !stays {
            assert!(matches!(run.advance(), Moment::After(_)));
        }
        run.stepper.kill();
        assert_eq!(place.path.exists(), stays);
    }
}
