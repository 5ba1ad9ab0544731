//! A machine so busy that a start hardly gets on.

use std::fs;
use std::thread;
use std::time::Duration;

use pidlock_tests::ptrace::Ending;

use super::cases::{Case, There};
use super::place::Place;
use super::runs::{Moment, Run, TAKEN, each};

/// For longer than a start goes on that finds nothing but probes.
const LONG: Duration = Duration::from_millis(1100);

/// Twice the file goes before it is locked; the second time that takes long.
#[test]
fn a_start_that_is_slow_does_not_give_up() {
    each(["close", "close --keep", "reserve"], |arguments| {
        let case = Case {
            there: There::Stale,
            arguments,
        };
        let place = Place::new(case);
        let mut run = Run::start(case, &place.path);
        let mut gone = 0;
        let mut said = String::new();
        let ending = loop {
            match run.advance() {
                Moment::Before(call) if call.is(libc::SYS_flock) && gone < 2 => {
                    if gone > 0 && place.path.exists() {
                        thread::sleep(LONG);
                    }
                    gone += u32::from(fs::remove_file(&place.path).is_ok());
                }
                Moment::Mark(TAKEN) => said = run.stepper.line(),
                Moment::Ended(ending) => break ending,
                _ => {}
            }
        };
        assert_eq!((gone, &*said), (2, "in"), "{case:?}");
        assert_eq!(ending, Ending::Code(0), "{case:?}");
    });
}
