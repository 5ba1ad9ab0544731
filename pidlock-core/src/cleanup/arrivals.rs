//! How a hold comes without waiting for the registry: it is put where whoever has the registry next
//! finds it, and may use a place that is kept free for that.

#![allow(unsafe_code)]

use std::ptr;

use super::atomic::{AtomicPtr, Cell, Ordering};

/// The next one in the chain that something is in.
pub(crate) type Link<T> = Cell<Option<&'static T>>;

/// What can be in a chain, in one at a time.
pub(crate) trait Linked: Sized + 'static {
    fn next(&self) -> &Link<Self>;
}

/// Those that have come since somebody had the registry, the last one first.
#[derive(Debug)]
pub(crate) struct Arrivals<T> {
    last: AtomicPtr<T>,
}

impl<T: Linked> Arrivals<T> {
    pub(crate) fn new() -> Self {
        Self {
            last: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Adds one, which is in no chain, and the caller's alone until now.
    #[inline]
    pub(crate) fn add(&self, one: &'static T) {
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            // SAFETY: null, or put there below, and never freed.
            one.next().set(unsafe { last.as_ref() });
            let mine = ptr::from_ref(one).cast_mut();
            // Whoever finds this one finds what was done to it before, and so for those behind it:
            // nothing but exchanges is ever done here.
            match (self.last).compare_exchange_weak(
                last,
                mine,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => last = other,
            }
        }
    }

    /// Takes one away again that came last of all; `false` if it did not. For who has the registry
    /// only.
    #[inline]
    pub(crate) fn take_back(&self, one: &'static T) -> bool {
        let mine = ptr::from_ref(one).cast_mut();
        if !ptr::eq(self.last.load(Ordering::Acquire), mine) {
            return false;
        }
        // Nobody else takes any away, so what is behind it stays.
        let behind = one
            .next()
            .get()
            .map_or(ptr::null_mut(), |behind| ptr::from_ref(behind).cast_mut());
        self.last
            .compare_exchange(mine, behind, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes all away, as a chain. For who has the registry only.
    #[inline]
    pub(crate) fn take_all(&self) -> Option<&'static T> {
        if self.last.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // SAFETY: null, or put there by `add`, and never freed.
        unsafe { self.last.swap(ptr::null_mut(), Ordering::AcqRel).as_ref() }
    }
}

/// A free one, for whoever comes first.
#[derive(Debug)]
pub(crate) struct Spare<T>(AtomicPtr<T>);

impl<T: Linked> Spare<T> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Takes it, if it is there.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static T> {
        // SAFETY: null, or put there by `put`, and never freed.
        unsafe { self.0.swap(ptr::null_mut(), Ordering::Acquire).as_ref() }
    }

    /// Puts one there, unless there is one; `false` then.
    #[inline]
    #[must_use]
    pub(crate) fn put(&self, one: &'static T) -> bool {
        let mine = ptr::from_ref(one).cast_mut();
        self.0
            .compare_exchange(ptr::null_mut(), mine, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }
}
