//! Methods of a generic type, with every form of `self`.

use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, check, held};

/// The type with the methods.
#[derive(Debug)]
pub struct Owner<T> {
    path: PathBuf,
    value: T,
}

impl<T> Owner<T>
where
    T: Display + Clone,
{
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub fn new(path: &Path, value: T) -> Result<Self, PidFileError> {
        Ok(Self {
            path: path.to_owned(),
            value,
        })
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn by_ref(&self) -> Result<(&T, bool), PidFileError> {
        Ok((&self.value, held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn by_mut(&mut self, value: T) -> Result<&mut T, PidFileError> {
        check(&self.path);
        self.value = value;
        Ok(&mut self.value)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn by_named_ref<'a>(&'a self, other: &'a T) -> Result<(&'a T, bool), PidFileError> {
        let held = held(&self.path);
        Ok((if held { &self.value } else { other }, held))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn by_value(self, _other: T) -> Result<(T, bool), PidFileError> {
        let held = held(&self.path);
        if held {
            return Ok((self.value, held));
        }
        Ok((self.value, false))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn by_mut_value(mut self, value: T) -> Result<(Self, bool), PidFileError> {
        let held = held(&self.path);
        self.value = value;
        Ok((self, held))
    }

    /// # Errors
    /// If refused.
    #[expect(clippy::needless_arbitrary_self_type)]
    #[pidfile(path = &self.path)]
    pub fn by_typed_value(self: Self) -> Held {
        Ok(held(&self.path))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn boxed(self: Box<Self>) -> Result<Box<dyn Debug>, PidFileError>
    where
        T: Debug + 'static,
    {
        check(&self.path);
        Ok(self)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn mut_boxed(mut self: Box<Self>, value: T) -> Result<Box<Self>, PidFileError> {
        check(&self.path);
        self.value = value;
        Ok(self)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn counted(self: Rc<Self>) -> Result<(usize, bool), PidFileError> {
        Ok((Rc::strong_count(&self), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn shared(self: Arc<Self>) -> Result<impl Display, PidFileError> {
        check(&self.path);
        Ok(self.value.clone())
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn borrowed_shared(self: &Arc<Self>) -> Result<(usize, bool), PidFileError> {
        Ok((Arc::strong_count(self), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn pinned(self: Pin<&mut Self>) -> Result<(T, bool), PidFileError> {
        Ok((self.value.clone(), held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn pinned_box(self: Pin<Box<Self>>) -> Result<(T, bool), PidFileError> {
        Ok((self.value.clone(), held(&self.path)))
    }

    /// Returns a borrowed parameter.
    #[must_use]
    #[pidfile(path = &self.path, on_error = |_| "refused")]
    pub fn lends<'a>(self, text: &'a str, count: &mut usize) -> &'a str {
        *count += usize::from(held(&self.path));
        text
    }

    /// Returns nothing.
    #[pidfile(path = &self.path)]
    pub fn unit(self, (seen, _): (&mut bool, u8)) {
        *seen = held(&self.path);
    }

    /// Never returns.
    ///
    /// # Panics
    /// Always.
    #[pidfile(path = &self.path)]
    pub fn never(self) -> ! {
        panic!("{}", held(&self.path))
    }

    /// Returns values that are coerced to the return type.
    #[must_use]
    #[pidfile(path = &self.path, on_error = |_| Box::new(""))]
    pub fn coerces(self, other: bool) -> Box<dyn Display>
    where
        T: 'static,
    {
        let call: fn(u8) -> u8 = |n| n + 1;
        if other {
            return Box::new(call(u8::from(held(&self.path))));
        }
        Box::new(self.value)
    }

    /// Returns an opaque type.
    #[must_use]
    #[pidfile(path = &self.path, on_error = |_| T::clone(&self.value))]
    pub fn opaque(self) -> impl Display {
        check(&self.path);
        self.value
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn generic<const N: usize, U: Display + ?Sized>(
        self,
        other: &U,
        call: impl Fn(usize) -> usize,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let found = call(N).checked_sub(N).ok_or("less")?;
        Ok(format!(
            "{other} {} {found} {}",
            self.value,
            held(&self.path)
        ))
    }

    /// # Safety
    /// `number` must be valid for reads.
    /// # Errors
    /// If refused.
    #[expect(unsafe_code)]
    #[pidfile(path = &self.path)]
    pub unsafe fn unsafety(self, number: *const u8) -> Result<(u8, bool), PidFileError> {
        // SAFETY: the caller guarantees that `number` is valid for reads.
        let number = unsafe { *number };
        Ok((number, held(&self.path)))
    }

    /// # Errors
    /// If refused.
    #[inline]
    #[track_caller]
    #[must_use = "has a reason"]
    #[pidfile(path = &self.path)]
    pub fn attributes(self, #[expect(unused_variables)] other: u8) -> Held {
        #![allow(clippy::let_and_return)]
        let result = Ok(held(&self.path));
        result
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path, reentrant)]
    pub fn recursive(self, depth: u8) -> Result<u8, PidFileError> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(self.recursive(depth - 1)? + 1)
    }

    /// # Errors
    /// If refused.
    #[pidfile(path = &self.path)]
    pub fn nested(self) -> Result<(bool, bool), PidFileError> {
        struct Inner(PathBuf);

        impl Inner {
            #[pidfile(path = &self.0)]
            fn by_value(self) -> Held {
                Ok(held(&self.0))
            }
        }

        let inner = Inner(self.path.with_extension("inner")).by_value()?;
        Ok((inner, held(&self.path)))
    }
}

/// A `Copy` type, whose methods copy `self`.
#[derive(Clone, Copy, Debug)]
pub struct Small(u8);

impl Small {
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub fn copied(self, path: &Path) -> Result<u8, PidFileError> {
        Ok(self.0 + u8::from(held(path)))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::shapes::tests::at_a_path;

    #[test]
    fn methods_that_borrow_or_share_self_run_under_the_lock() {
        at_a_path(|path| {
            let mut owner = Owner::new(path, 1).unwrap();
            assert_eq!(owner.by_ref().unwrap(), (&1, true));
            assert_eq!(owner.by_mut(2).unwrap(), &2);
            assert_eq!(owner.by_named_ref(&3).unwrap(), (&2, true));
            assert_eq!(Pin::new(&mut owner).pinned().unwrap(), (2, true));
            let counted = Rc::new(Owner::new(path, 1).unwrap());
            assert_eq!(Rc::clone(&counted).counted().unwrap(), (2, true));
            let shared = Arc::new(owner);
            assert_eq!(shared.borrowed_shared().unwrap(), (1, true));
            assert_eq!(shared.shared().unwrap().to_string(), "2");
        });
    }

    #[test]
    fn methods_that_own_self_run_under_the_lock() {
        at_a_path(|path| {
            let new = || Owner::new(path, 7).unwrap();
            assert_eq!(new().by_value(8).unwrap(), (7, true));
            let (changed, held) = new().by_mut_value(8).unwrap();
            assert_eq!((changed.value, held), (8, true));
            assert!(new().by_typed_value().unwrap());
            assert!(format!("{:?}", Box::new(new()).boxed().unwrap()).contains('7'));
            assert_eq!(Box::new(new()).mut_boxed(8).unwrap().value, 8);
            assert_eq!(Box::pin(new()).pinned_box().unwrap(), (7, true));
            let (mut count, mut seen) = (0, false);
            assert_eq!((new().lends("lent", &mut count), count), ("lent", 1));
            new().unit((&mut seen, 3));
            assert!(seen);
            assert_eq!(new().opaque().to_string(), "7");
            assert_eq!(new().coerces(true).to_string(), "2");
            assert_eq!(new().coerces(false).to_string(), "7");
            assert_eq!(new().generic::<3, _>("x", |n| n + 1).unwrap(), "x 7 1 true");
            let number = 5;
            #[expect(unsafe_code)]
            // SAFETY: `number` is a local variable, which is valid for reads.
            let found = unsafe { new().unsafety(&raw const number) };
            assert_eq!(found.unwrap(), (5, true));
            assert!(new().attributes(3).unwrap());
            assert_eq!(new().recursive(4).unwrap(), 4);
            assert_eq!(new().nested().unwrap(), (true, true));
            assert_eq!(Small(3).copied(path).unwrap(), 4);
            let owner = new();
            let panic = catch_unwind(|| owner.never()).unwrap_err();
            assert_eq!(*panic.downcast::<String>().unwrap(), "true");
        });
    }
}
