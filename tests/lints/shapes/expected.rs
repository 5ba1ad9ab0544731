//! Functions that expect lints, some of which do not fire with the attribute.

use std::path::Path;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, held};

/// # Errors
/// If refused.
#[expect(clippy::needless_pass_by_value)]
#[pidfile(path = path)]
pub fn by_value(path: &Path, text: String) -> Result<usize, PidFileError> {
    super::check(path);
    Ok(text.len())
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[expect(clippy::unused_async, unused_variables, reason = "one of them fires")]
pub async fn no_await(path: &Path, id: u8) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn parameter(
    path: &Path,
    #[expect(clippy::needless_pass_by_value)] text: String,
) -> Result<usize, PidFileError> {
    super::check(path);
    Ok(text.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at_a_path, block_on};
    use super::*;

    #[test]
    fn functions_that_expect_lints_run_under_the_lock() {
        at_a_path(|path| {
            assert_eq!(by_value(path, "text".into()).unwrap(), 4);
            assert!(block_on(no_await(path, 1)).unwrap());
            assert_eq!(parameter(path, "text".into()).unwrap(), 4);
        });
    }
}
