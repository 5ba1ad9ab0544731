//! Functions under lints of clippy that are off by default and concern each function.

#![deny(clippy::implicit_return, clippy::shadow_same)]
#![allow(
    clippy::needless_return,
    reason = "the opposite of clippy::implicit_return"
)]

use std::path::Path;

use pidlock_core::pidfile;

use super::{Held, held};

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn plain(path: &Path, _named: u8, (a, mut b): (u8, u8)) -> Held {
    b += a;
    return Ok(held(path) && b == 3);
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub async fn future(path: &Path, id: u8) -> Held {
    let id = std::future::ready(id).await;
    return Ok(held(path) && id == 1);
}

/// A receiver.
#[derive(Clone, Debug, Default)]
pub struct Owner(String);

impl Owner {
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub fn owned(self, path: &Path) -> Held {
        return Ok(held(path) && self.0.is_empty());
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub async fn owned_future(self, path: &Path) -> Held {
        std::future::ready(()).await;
        return Ok(held(path) && self.0.is_empty());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::implicit_return, reason = "only the functions are of interest")]

    use super::super::tests::{at_a_path, block_on};
    use super::*;

    #[test]
    fn functions_under_restriction_lints_run_under_the_lock() {
        at_a_path(|path| {
            assert!(plain(path, 0, (1, 2)).unwrap());
            assert!(block_on(future(path, 1)).unwrap());
            assert!(Owner::default().owned(path).unwrap());
            assert!(block_on(Owner::default().owned_future(path)).unwrap());
        });
    }
}
