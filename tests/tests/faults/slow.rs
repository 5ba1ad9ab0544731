//! A start that makes little progress because the machine is busy.

use std::fs;
use std::thread;
use std::time::Duration;

use pidlock_tests::ptrace::Ending;

use super::cases::{Case, Initial};
use super::place::Place;
use super::runs::{Moment, Run, TAKEN, each};

/// Longer than a start retries if it meets only probes of the lock and no holder.
const LONG: Duration = Duration::from_millis(1100);

/// The file is removed twice, each time before the start locks it. Before the second removal the
/// start is stopped for a long time.
#[test]
fn slow_start_whose_file_is_removed_twice_succeeds() {
    each(["close", "close --keep", "reserve"], |arguments| {
        let case = Case {
            initial: Initial::Stale,
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
