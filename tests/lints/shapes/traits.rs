//! Trait methods: default methods and those of an `impl`.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, check, held};

/// A trait with associated types and a constant.
pub trait Task: Sized {
    /// The result of the task.
    type Output;

    /// The error of the task.
    type Error: From<PidFileError>;

    /// A constant that methods use.
    const NUMBER: u8 = 3;

    /// The path of the pidfile.
    fn path(&self) -> &Path;

    /// Runs the task.
    ///
    /// # Errors
    /// If refused.
    fn run(self, held: bool) -> Result<Self::Output, Self::Error>;

    /// Has no default body.
    ///
    /// # Errors
    /// If refused.
    fn required<'a>(&self, text: &'a str) -> Result<&'a str, Self::Error>;

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    fn by_ref(&self) -> Result<(u8, bool), Self::Error> {
        Ok((Self::NUMBER, held(self.path())))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    fn by_mut(&mut self) -> Result<&mut Self, Self::Error> {
        check(self.path());
        Ok(self)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    fn by_value(self) -> Result<Self::Output, Self::Error> {
        let held = held(self.path());
        self.run(held)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    fn boxed(self: Box<Self>) -> Result<Self::Output, Self::Error>
    where
        Self::Output: Clone,
    {
        let held = held(self.path());
        self.run(held)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    fn pinned(self: Pin<&mut Self>) -> Result<bool, Self::Error> {
        Ok(held(self.path()))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    fn associated<T: Display>(path: &Path, value: T) -> Result<(T, bool), Self::Error> {
        Ok((value, held(path)))
    }
}

/// Implements the traits of this module.
#[derive(Debug)]
pub struct Job<T>(pub PathBuf, pub T);

impl<T> Task for Job<T> {
    type Output = (T, bool);
    type Error = PidFileError;

    fn path(&self) -> &Path {
        &self.0
    }

    fn run(self, held: bool) -> Result<Self::Output, Self::Error> {
        Ok((self.1, held))
    }

    #[pidfile(path = &self.0)]
    fn required<'a>(&self, text: &'a str) -> Result<&'a str, PidFileError> {
        Ok(if held(&self.0) { text } else { "" })
    }
}

/// A `dyn`-compatible trait.
pub trait Dynamic {
    /// # Errors
    /// If refused.
    fn by_ref(&self) -> Held;

    /// # Errors
    /// If refused.
    fn boxed(self: Box<Self>) -> Held;
}

impl<T> Dynamic for Job<T> {
    #[pidfile(path = &self.0)]
    fn by_ref(&self) -> Held {
        Ok(held(&self.0))
    }

    #[pidfile(path = &self.0)]
    fn boxed(self: Box<Self>) -> Held {
        Ok(held(&self.0))
    }
}

impl dyn Dynamic {
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub fn inherent(&self, path: &Path) -> Held {
        Ok(held(path))
    }
}

impl<T> IntoIterator for Job<T> {
    type Item = T;
    type IntoIter = std::option::IntoIter<T>;

    #[pidfile(path = &self.0, on_error = |_| None.into_iter())]
    fn into_iter(self) -> Self::IntoIter {
        held(&self.0).then_some(self.1).into_iter()
    }
}

/// Acquires the lock when dropped.
#[derive(Debug)]
pub struct Last(pub PathBuf);

impl Drop for Last {
    #[pidfile(path = &self.0)]
    fn drop(&mut self) {
        check(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::tests::at_a_path;

    #[test]
    fn trait_methods_run_under_the_lock() {
        at_a_path(|path| {
            let new = || Job(path.to_owned(), 7);
            assert_eq!(Task::by_ref(&new()).unwrap(), (3, true));
            assert_eq!(new().by_mut().unwrap().1, 7);
            assert_eq!(new().by_value().unwrap(), (7, true));
            assert_eq!(Task::boxed(Box::new(new())).unwrap(), (7, true));
            assert!(Pin::new(&mut new()).pinned().unwrap());
            assert_eq!(Job::<u8>::associated(path, 3).unwrap(), (3, true));
            assert_eq!(new().required("text").unwrap(), "text");
            assert_eq!(new().into_iter().collect::<Vec<_>>(), [7]);
            drop(Last(path.to_owned()));
            let dynamic: Box<dyn Dynamic> = Box::new(new());
            assert!(dynamic.by_ref().unwrap());
            assert!(dynamic.inherent(path).unwrap());
            assert!(dynamic.boxed().unwrap());
        });
    }
}
