//! Errors of the kernel when a resource limit (setrlimit(2)) is reached.

use nix::sys::signal::Signal;
use pidlock_tests::ptrace::{Ending, Stop};
use pidlock_tests::tally::Figures;

use super::cases::{Case, Initial};
use super::errors::{Fault, Faulty, Way};
use super::place::Place;
use super::runs::Run;

/// An error that the kernel returns by itself: the test injects none.
const fn real(error: i32) -> Fault {
    Fault {
        number: usize::MAX,
        way: Way::Refused,
        error,
    }
}

fn check(case: Case, fault: Fault, figures: &mut Figures) -> bool {
    let mut faulty = Faulty::new(case, fault);
    let checked = faulty.run();
    figures.holds += u64::from(faulty.inside);
    figures.faults += 1;
    figures.survived += u64::from(checked.is_ok());
    assert_eq!(checked, Ok(()), "{case:?}, {:?}", faulty.said);
    faulty.inside
}

#[test]
fn emfile_leaves_no_file() {
    let mut figures = Figures::default();
    let too_few = real(libc::EMFILE);
    let cases = [
        (
            Initial::Nothing,
            ["close --files 3", "close --files 4"],
            [false, true],
        ),
        (
            Initial::Stale,
            ["close --files 3", "close --files 4"],
            [false, true],
        ),
        (
            Initial::Stale,
            ["close --no-lock --files 4", "close --no-lock --files 7"],
            [false, true],
        ),
    ];
    for (initial, arguments, inside) in cases {
        let came_in =
            arguments.map(|arguments| check(Case { initial, arguments }, too_few, &mut figures));
        assert_eq!(came_in, inside, "{initial:?}, {arguments:?}");
    }
    let held = Case {
        initial: Initial::Held,
        arguments: "close --files 3",
    };
    assert!(!check(held, too_few, &mut figures));
    figures.record("without descriptors");
}

/// The process ignores SIGXFSZ, as Python does, so the write returns an error.
#[test]
fn efbig_is_reported_and_leaves_no_file() {
    let mut figures = Figures::default();
    for (initial, arguments) in [
        (Initial::Nothing, "close --no-writing --ignored"),
        (Initial::Nothing, "close --no-writing --ignored --no-lock"),
        (Initial::Nothing, "reserve --no-writing --ignored"),
        (Initial::Stale, "close --no-writing --ignored"),
    ] {
        let too_large = real(libc::EFBIG);
        assert!(!check(Case { initial, arguments }, too_large, &mut figures));
    }
    figures.record("a limit of the size of files");
}

/// A process that does not ignore SIGXFSZ is killed when it writes a pidfile, or any other file,
/// beyond the limit. Its pidfile stays, empty and unlocked.
#[test]
fn process_killed_by_sigxfsz_lets_the_next_start_succeed() {
    let case = Case {
        initial: Initial::Nothing,
        arguments: "close --no-writing",
    };
    let place = Place::new(case);
    let mut run = Run::start(case, &place.path);
    let ending = loop {
        if let Stop::Ended(ending) = run.stepper.step() {
            break ending;
        }
    };
    assert_eq!(ending, Ending::By(Signal::SIGXFSZ));
    assert!(place.is_empty());
    assert_eq!(place.check_free(), Ok(()));
}
