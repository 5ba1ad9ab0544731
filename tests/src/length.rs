//! The length of the tests: a short form for developers, and the full length for continuous
//! integration.

use std::time::Duration;

/// Returns `true` if the environment variable `PIDLOCK_TESTS_FULL` is set.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("PIDLOCK_TESTS_FULL").is_some()
}

/// Returns `full` if tests run at full length, and otherwise `short`.
pub fn by_length<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

/// Returns all elements of a list at full length, and only the first one in the short form.
pub fn some<T, const N: usize>(all: [T; N]) -> impl Iterator<Item = T> {
    all.into_iter().take(by_length(1, N))
}

/// Returns `n` if a test interferes at every `n`-th system call.
#[must_use]
pub fn stride() -> usize {
    by_length(11, 1)
}

/// Returns the positions, from 0, of the system calls at which a job interferes. At full length, a
/// job interferes at every call. In the short form, jobs with consecutive numbers start at
/// different calls, so that together they cover all calls.
pub fn calls(job: usize) -> impl Iterator<Item = usize> {
    (job % stride()..).step_by(stride())
}

/// On a busy machine, a storm continues until the events that it tests have occurred, but at most
/// for this long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Returns the duration of a storm. `PIDLOCK_STORM_SECONDS` overrides it, because a longer storm
/// can find more errors.
///
/// # Panics
///
/// If the variable is not a number.
#[must_use]
pub fn of_storm() -> Duration {
    const SECONDS: &str = "PIDLOCK_STORM_SECONDS";
    let seconds = std::env::var(SECONDS).ok();
    let seconds = seconds.map_or_else(
        || by_length(0.1, 0.5),
        |text| text.parse().expect("PIDLOCK_STORM_SECONDS is a number"),
    );
    Duration::from_secs_f64(seconds)
}
