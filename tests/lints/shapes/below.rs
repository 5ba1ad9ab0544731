//! Functions with an attribute of another macro below, which reads parameters that the body does
//! not use.

use std::path::Path;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, held};

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[tracing::instrument(skip_all, fields(id = id))]
pub fn named(path: &Path, id: u8) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[tracing::instrument]
pub fn recorded(path: &Path, id: u8, (a, b): (u8, u8), _: u8) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[tracing::instrument]
pub async fn future(path: &Path, id: u8, (a, _): (u8, u8)) -> Held {
    std::future::ready(()).await;
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[tracing::instrument]
#[rustfmt::skip]
pub fn one_line(path: &Path) -> Held { Ok(held(path)) }

/// A receiver that the attribute records.
#[derive(Clone, Debug, Default)]
pub struct Owner(String);

impl Owner {
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    #[tracing::instrument(skip_all, fields(len = self.0.len(), id = id))]
    pub fn owned(self, path: &Path, id: u8) -> Result<Self, PidFileError> {
        super::check(path);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at_a_path, block_on};
    use super::*;

    #[test]
    fn functions_with_a_macro_below_run_under_the_lock() {
        at_a_path(|path| {
            assert!(named(path, 1).unwrap());
            assert!(recorded(path, 1, (2, 3), 4).unwrap());
            assert!(block_on(future(path, 1, (2, 3))).unwrap());
            assert!(one_line(path).unwrap());
            assert_eq!(Owner::default().owned(path, 1).unwrap().0, "");
        });
    }
}
