//! `async` functions, whose futures remain `Send` and `'static` with the attribute.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::ready;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, check, held};

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub async fn plain(path: &Path) -> Held {
    ready(()).await;
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub async fn owning(
    path: PathBuf,
    (a, _): (u8, String),
    _: u8,
    _b: u8,
) -> Result<u8, PidFileError> {
    ready(()).await;
    Ok(a + u8::from(held(&path)))
}

/// # Errors
/// If refused.
#[pidfile(path = ready(path).await)]
pub async fn awaits_for_a_value(path: &Path) -> Held {
    ready(()).await;
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub async fn generic<'a, T, const N: usize>(
    path: &Path,
    value: &'a T,
    mut each: impl FnMut(bool) + Send,
) -> Result<(&'a T, usize), Box<dyn Error + Send + Sync>>
where
    T: Display + ?Sized + Sync,
{
    ready(()).await;
    each(held(path));
    let less = N.checked_sub(1).ok_or("none")?;
    Ok((value, less))
}

/// Returns nothing.
#[pidfile(path = path)]
pub async fn unit(path: &Path, seen: &mut bool) {
    ready(()).await;
    *seen = held(path);
}

/// Never returns.
///
/// # Panics
/// Always.
#[pidfile(path = path)]
pub async fn never(path: &Path) -> ! {
    ready(()).await;
    panic!("{}", held(path))
}

/// Is not `Send` without the attribute either.
///
/// # Errors
/// If refused.
#[expect(clippy::future_not_send)]
#[pidfile(path = path)]
pub async fn not_send(path: &Path, count: Rc<u8>) -> Result<u8, PidFileError> {
    ready(()).await;
    Ok(*count + u8::from(held(path)))
}

/// # Safety
/// This function has no safety requirements.
/// # Errors
/// If refused.
#[expect(unsafe_code)]
#[pidfile(path = path)]
pub async unsafe fn unsafety(path: &Path) -> Held {
    ready(()).await;
    Ok(held(path))
}

/// # Errors
/// If refused.
#[inline]
#[must_use = "has a reason"]
#[pidfile(path = path)]
pub async fn attributes(path: &Path, #[expect(unused_variables)] unused: u8) -> Held {
    #![allow(clippy::let_and_return)]
    let result = ready(Ok(held(path))).await;
    result
}

/// # Errors
/// If refused.
#[pidfile(path = path, reentrant)]
pub async fn recursive(path: &Path, depth: u8) -> Result<u8, PidFileError> {
    if depth == 0 {
        return Ok(u8::from(path.exists()));
    }
    Ok(Box::pin(recursive(path, depth - 1)).await? + 1)
}

/// The type with the methods.
#[derive(Debug)]
pub struct Owner<T> {
    path: PathBuf,
    value: T,
}

impl<T: Display + Debug + Send + Sync> Owner<T> {
    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn by_ref(&self) -> Result<(&T, bool), PidFileError> {
        ready(()).await;
        Ok((&self.value, held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn by_mut(&mut self, value: T) -> Result<&mut T, PidFileError> {
        ready(()).await;
        check(&self.path);
        self.value = value;
        Ok(&mut self.value)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn by_value(self) -> Result<Box<dyn Debug + Send>, PidFileError>
    where
        T: 'static,
    {
        ready(()).await;
        if !held(&self.path) {
            return Ok(Box::new(0));
        }
        Ok(Box::new(self.value))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn by_mut_value(mut self, (value, _): (T, u8), _n: u8) -> Result<Self, PidFileError> {
        ready(()).await;
        check(&self.path);
        self.value = value;
        Ok(self)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn boxed(self: Box<Self>) -> Result<(T, bool), Box<dyn Error + Send + Sync>> {
        ready(Ok::<(), Infallible>(())).await?;
        let held = held(&self.path);
        Ok((self.value, held))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn shared(self: Arc<Self>) -> Result<(usize, bool), PidFileError> {
        ready(()).await;
        Ok((Arc::strong_count(&self), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[expect(clippy::future_not_send)]
    #[pidfile(path = &self.path)]
    pub async fn counted(self: Rc<Self>) -> Result<(usize, bool), PidFileError> {
        ready(()).await;
        Ok((Rc::strong_count(&self), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn pinned(self: Pin<&mut Self>) -> Result<(String, bool), PidFileError> {
        ready(()).await;
        Ok((self.value.to_string(), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub async fn pinned_box(self: Pin<Box<Self>>) -> Result<impl Display, PidFileError> {
        ready(()).await;
        Ok(format!("{} {}", self.value, held(&self.path)))
    }

    /// Returns nothing.
    #[pidfile(path = &self.path)]
    pub async fn unit(self, seen: &mut bool) {
        ready(()).await;
        *seen = held(&self.path);
    }

    /// Never returns.
    ///
    /// # Panics
    /// Always.
    #[pidfile(path = &self.path)]
    pub async fn never(self) -> ! {
        ready(()).await;
        panic!("{}", held(&self.path))
    }

    /// Never returns, and has a one-line body.
    #[pidfile(path = &self.path)]
    #[rustfmt::skip]
    pub async fn never_in_one_line(self) -> ! { std::process::exit(7) }

    /// Returns, and has a one-line body.
    #[pidfile(path = &self.path, on_error = |_| 3)]
    #[rustfmt::skip]
    pub async fn in_one_line(self) -> u8 { ready(7).await }

    /// Returns a borrowed parameter.
    #[must_use]
    #[pidfile(path = &self.path, on_error = |_| "refused")]
    pub async fn lends<'a>(self, text: &'a str, count: &mut usize) -> &'a str {
        ready(()).await;
        *count += usize::from(held(&self.path));
        text
    }
}

/// A trait with `async` methods.
#[expect(async_fn_in_trait)]
pub trait Task: Sized + Sync {
    /// The path of the pidfile.
    fn path(&self) -> &Path;

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    async fn by_ref(&self) -> Held {
        ready(()).await;
        Ok(held(self.path()))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = self.path())]
    async fn by_value(self) -> Held {
        ready(()).await;
        Ok(held(self.path()))
    }

    /// Has no default body.
    ///
    /// # Errors
    /// If refused.
    async fn required(self, other: u8) -> Result<(Self, u8), PidFileError>;
}

impl<T: Send + Sync> Task for Owner<T> {
    fn path(&self) -> &Path {
        &self.path
    }

    #[pidfile(path = &self.path)]
    async fn required(self, other: u8) -> Result<(Self, u8), PidFileError> {
        ready(()).await;
        let held = held(&self.path);
        Ok((self, other + u8::from(held)))
    }
}

// `Future` is in the prelude of edition 2024 only.
#[allow(unused_qualifications)]
#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::shapes::tests::{at_a_path, block_on};

    /// Accepts the futures that multi-threaded executors accept.
    fn spawn<T: Send + 'static>(
        future: impl std::future::Future<Output = T> + Send + 'static,
    ) -> T {
        block_on(future)
    }

    fn send<T>(future: impl std::future::Future<Output = T> + Send) -> T {
        block_on(future)
    }

    fn panics<T>(future: impl std::future::Future<Output = T>) -> String {
        let panic = catch_unwind(AssertUnwindSafe(|| drop(block_on(future)))).unwrap_err();
        *panic.downcast().unwrap()
    }

    #[test]
    fn async_functions_run_under_the_lock() {
        at_a_path(|path| {
            assert!(send(plain(path)).unwrap());
            let pair = (2, String::new());
            assert_eq!(spawn(owning(path.to_owned(), pair, 3, 4)).unwrap(), 3);
            assert!(send(awaits_for_a_value(path)).unwrap());
            let mut seen = false;
            let (text, less) = send(generic::<_, 3>(path, "text", |held| seen = held)).unwrap();
            assert_eq!((text, less, seen), ("text", 2, true));
            let mut seen = false;
            send(unit(path, &mut seen));
            assert!(seen);
            assert_eq!(panics(never(path)), "true");
            assert_eq!(block_on(not_send(path, Rc::new(1))).unwrap(), 2);
            #[expect(unsafe_code)]
            // SAFETY: `unsafety` has no safety requirements.
            let future = unsafe { unsafety(path) };
            assert!(send(future).unwrap());
            assert!(send(attributes(path, 3)).unwrap());
            assert_eq!(send(recursive(path, 3)).unwrap(), 4);
        });
    }

    #[test]
    fn async_methods_run_under_the_lock() {
        at_a_path(|path| {
            let new = || Owner {
                path: path.to_owned(),
                value: 7,
            };
            let mut owner = new();
            assert_eq!(send(owner.by_mut(8)).unwrap(), &8);
            assert_eq!(send(Owner::by_ref(&owner)).unwrap(), (&8, true));
            let pinned = send(Pin::new(&mut owner).pinned()).unwrap();
            assert_eq!(pinned, ("8".into(), true));
            let found = spawn(Owner::by_value(new())).unwrap();
            assert_eq!(format!("{found:?}"), "7");
            assert_eq!(spawn(new().by_mut_value((8, 1), 2)).unwrap().value, 8);
            assert_eq!(spawn(Box::new(new()).boxed()).unwrap(), (7, true));
            let shared = Arc::new(new());
            assert_eq!(spawn(Arc::clone(&shared).shared()).unwrap(), (2, true));
            assert_eq!(block_on(Rc::new(new()).counted()).unwrap(), (1, true));
            let pinned = send(Box::pin(new()).pinned_box()).unwrap();
            assert_eq!(format!("{pinned}."), "7 true.");
            let (mut seen, mut count) = (false, 0);
            send(new().unit(&mut seen));
            assert_eq!(block_on(new().in_one_line()), 7);
            assert!(seen);
            assert_eq!(panics(new().never()), "true");
            assert_eq!(send(new().lends("lent", &mut count)), "lent");
            assert_eq!(count, 1);
        });
    }

    #[test]
    fn async_trait_methods_run_under_the_lock() {
        at_a_path(|path| {
            let new = || Owner {
                path: path.to_owned(),
                value: 7,
            };
            assert!(send(Task::by_ref(&new())).unwrap());
            assert!(send(Task::by_value(new())).unwrap());
            let (owner, found) = spawn(new().required(3)).unwrap();
            assert_eq!((owner.value, found), (7, 4));
        });
    }
}
