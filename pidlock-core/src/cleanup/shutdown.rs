//! Decides which of guard, exit handler and signal handler removes a file, and when a signal may
//! terminate the process: when no critical section is in progress.
//!
//! Atomics only. A signal handler may have interrupted any of the others at any point, even on its
//! own thread, so it must not wait for them.

use super::atomic::{AtomicU32, Ordering};

/// The critical sections in progress, and the signal that waits for their end.
#[derive(Debug, Default)]
pub(crate) struct Shutdown(AtomicU32);

/// The number of sections in progress, at most one for each thread.
const SECTIONS: u32 = (1 << SIGNAL_SHIFT) - 1;
const SIGNAL_SHIFT: u32 = 23;
const PENDING_SIGNAL: u32 = 0xff << SIGNAL_SHIFT;
/// Set once, by the thread that terminates the process.
const TERMINATING: u32 = 1 << 31;

impl Shutdown {
    /// Enters a section. `false` if a signal is pending or the process is terminating: new work would
    /// delay termination for ever.
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        self.enter_unless(PENDING_SIGNAL | TERMINATING)
    }

    /// Enters a section. `false` only if the process is terminating.
    #[must_use]
    pub(crate) fn enter_even_if_pending(&self) -> bool {
        self.enter_unless(TERMINATING)
    }

    fn enter_unless(&self, flags: u32) -> bool {
        self.update(|now| (now & flags == 0).then_some(now + 1))
            .is_ok()
    }

    /// Enters a section on behalf of a signal handler, and notes its signal unless another one is
    /// pending.
    pub(crate) fn note_signal(&self, signal: i32) -> Noted {
        let noted = ((signal as u32) << SIGNAL_SHIFT) & PENDING_SIGNAL;
        let before = self.update(|now| match now & (TERMINATING | PENDING_SIGNAL) {
            0 => Some((now + 1) | noted),
            _ => (now & TERMINATING == 0).then_some(now + 1),
        });
        match before.unwrap_or_else(|unchanged| unchanged) {
            now if now & PENDING_SIGNAL == noted => Noted::Repeated,
            now if now & TERMINATING != 0 => Noted::Terminating,
            _ => Noted::Pending,
        }
    }

    /// Leaves a section. Returns the pending signal if this was the last section in progress. Then no
    /// other can be entered any more, and the caller must remove the files that are left and terminate
    /// the process by that signal.
    #[must_use]
    pub(crate) fn leave(&self) -> Option<i32> {
        let is_last = |now: u32| now & PENDING_SIGNAL != 0 && now & SECTIONS == 1;
        let before = self.update(|now| match is_last(now) {
            true => Some(now | TERMINATING),
            false => Some(now - 1),
        });
        before
            .ok()
            .filter(|&before| is_last(before))
            .map(|before| ((before & PENDING_SIGNAL) >> SIGNAL_SHIFT) as i32)
    }

    /// Returns `true` if a section is in progress in any thread.
    pub(crate) fn in_progress(&self) -> bool {
        self.0.load(Ordering::Acquire) & SECTIONS != 0
    }

    fn update(&self, next: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
    }
}

/// What a signal handler learns from noting its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// This signal, or another one, waits for sections in progress. A different signal does not hurry
    /// the first: service managers send two in a row.
    Pending,
    /// The same signal was pending. The user presses Ctrl-C again because the first time did not help:
    /// it must not wait any longer.
    Repeated,
    /// No section was entered: another signal is terminating the process.
    Terminating,
}

/// The right to remove one file.
#[derive(Debug, Default)]
pub(crate) struct RemovalClaim(AtomicU32);

/// There is no file to remove.
const EMPTY: u32 = 0;
/// The right is taken.
const CLAIMED: u32 = 1 << 31;

/// The occasions on which a file is removed. Its guard always removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemoveOn(u32);

impl RemoveOn {
    pub(crate) const SIGNAL: Self = Self(1);
    pub(crate) const EXIT: Self = Self(2);
    pub(crate) const GUARD: Self = Self(4);

    pub(crate) fn new(signal: bool, exit: bool) -> Self {
        let only_if = |wanted: bool, occasion: Self| if wanted { occasion.0 } else { 0 };
        Self(Self::GUARD.0 | only_if(signal, Self::SIGNAL) | only_if(exit, Self::EXIT))
    }
}

impl RemovalClaim {
    /// Publishes the file: everything that is needed to remove it can be read.
    pub(crate) fn publish(&self, occasions: RemoveOn) {
        self.0.store(occasions.0, Ordering::Release);
    }

    /// Returns `true` if the file is to be removed on this occasion and the caller has won the right
    /// to do it.
    #[must_use]
    pub(crate) fn try_claim(&self, occasion: RemoveOn) -> bool {
        let now = self.0.load(Ordering::Acquire);
        now & CLAIMED == 0
            && now & occasion.0 != 0
            && self
                .0
                .compare_exchange(now, CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLAIMED != 0
    }

    /// The claimed file is gone, and another one can be published.
    pub(crate) fn reset(&self) {
        self.0.store(EMPTY, Ordering::Release);
    }
}
