//! Tests have a short form, for a developer who waits for them, and run at full length in
//! continuous integration.

use std::time::Duration;

/// Returns `true` if the environment variable `PIDLOCK_TESTS_FULL` is set.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("PIDLOCK_TESTS_FULL").is_some()
}

/// Returns the value for the length at which tests run.
pub fn by_length<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

/// Returns all of a list at full length, and the first in the short form.
pub fn some<T, const N: usize>(all: [T; N]) -> impl Iterator<Item = T> {
    all.into_iter().take(by_length(1, N))
}

/// The step between the system calls at which a test interferes.
#[must_use]
pub fn stride() -> usize {
    by_length(7, 1)
}

/// The numbers of the system calls at which a job interferes: all of them at full length. In the
/// short form, jobs with consecutive numbers share them.
pub fn calls(job: usize) -> impl Iterator<Item = usize> {
    (job % stride()..).step_by(stride())
}

/// How long a storm goes on at most until it has met what it is for, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How long a storm lasts. `PIDLOCK_STORM_SECONDS` overrides it: a longer storm finds more.
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
