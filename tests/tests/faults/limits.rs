//! The limits of setrlimit(2), reached in earnest.

use nix::sys::signal::Signal;
use pidlock_tests::ptrace::{Ending, Stop};
use pidlock_tests::tally::Figures;

use super::cases::{Case, There};
use super::errors::{Fault, Faulty, Way};
use super::place::Place;
use super::runs::Run;

/// An error that the system gives by itself.
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
            There::Nothing,
            ["close --files 3", "close --files 4"],
            [false, true],
        ),
        (
            There::Stale,
            ["close --files 3", "close --files 4"],
            [false, true],
        ),
        (
            There::Stale,
            ["close --no-lock --files 4", "close --no-lock --files 7"],
            [false, true],
        ),
    ];
    for (there, arguments, inside) in cases {
        let came_in =
            arguments.map(|arguments| check(Case { there, arguments }, too_few, &mut figures));
        assert_eq!(came_in, inside, "{there:?}, {arguments:?}");
    }
    let held = Case {
        there: There::Held,
        arguments: "close --files 3",
    };
    assert!(!check(held, too_few, &mut figures));
    figures.record("without descriptors");
}

/// As in Python, which ignores the signal that comes with it.
#[test]
fn a_limit_of_the_size_of_files_is_said_and_nothing_is_left() {
    let mut figures = Figures::default();
    for (there, arguments) in [
        (There::Nothing, "close --no-writing --ignored"),
        (There::Nothing, "close --no-writing --ignored --no-lock"),
        (There::Nothing, "reserve --no-writing --ignored"),
        (There::Stale, "close --no-writing --ignored"),
    ] {
        let too_large = real(libc::EFBIG);
        assert!(!check(Case { there, arguments }, too_large, &mut figures));
    }
    figures.record("a limit of the size of files");
}

/// Unless a program ignores SIGXFSZ, writing any file beyond the limit ends it, a pidfile too. What it
/// leaves is empty, and free.
#[test]
fn a_program_that_the_limit_ends_is_no_obstacle() {
    let case = Case {
        there: There::Nothing,
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
