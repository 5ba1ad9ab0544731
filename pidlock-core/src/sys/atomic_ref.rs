//! An atomic `Option<&'static T>`, which a signal handler can read.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

pub(crate) struct AtomicRef<T: 'static>(AtomicPtr<T>);

impl<T> AtomicRef<T> {
    pub(crate) const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Async-signal-safe.
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or made from a `&'static T` by `replace`, the only place that stores.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Stores `new` if the value still is `old`. Returns `false` if it is another one.
    pub(crate) fn replace(&self, old: Option<&'static T>, new: &'static T) -> bool {
        let old = old.map_or(ptr::null(), ptr::from_ref).cast_mut();
        let new = ptr::from_ref(new).cast_mut();
        self.0
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl<T> Default for AtomicRef<T> {
    fn default() -> Self {
        Self::none()
    }
}
