//! Who removes a file: exactly one of its guard, the exit handler and a signal handler. And when
//! a signal may end the process: when nobody is in the middle of it.
//!
//! Only atomics, so that a signal handler can take part: it may have interrupted any of the
//! others at any point, on its own thread even, and must wait for none of them.

use super::atomic::{AtomicU32, Ordering};

/// How many are in the middle of making or removing a file, and the signal that waits for them.
#[derive(Debug)]
pub(crate) struct Claims(AtomicU32);

/// The number, at most one for each thread.
const COUNT: u32 = (1 << SIGNAL_SHIFT) - 1;
const SIGNAL_SHIFT: u32 = 23;
const SIGNAL: u32 = 0xff << SIGNAL_SHIFT;
/// Set by the one that ends the process, and never cleared.
const DYING: u32 = 1 << 31;

impl Claims {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// From here on a signal waits. `false` if one is waiting already, or the process is ending:
    /// nothing new is begun, or the end would never come.
    #[must_use]
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        self.update(|now| (now & (SIGNAL | DYING) == 0).then_some(now + 1))
            .is_ok()
    }

    /// The same for who must not be kept waiting: `false` only if the process is ending.
    #[must_use]
    pub(crate) fn begin_anyway(&self) -> bool {
        self.update(|now| (now & DYING == 0).then_some(now + 1))
            .is_ok()
    }

    /// The same for a handler of this signal, which is to be died of in the end, unless another
    /// was first.
    pub(crate) fn begin_by(&self, signal: i32) -> Begun {
        let noted = ((signal as u32) << SIGNAL_SHIFT) & SIGNAL;
        let before = self.update(|now| match now & (DYING | SIGNAL) {
            0 => Some((now + 1) | noted),
            _ => (now & DYING == 0).then_some(now + 1),
        });
        match before.unwrap_or_else(|unchanged| unchanged) {
            now if now & SIGNAL == noted => Begun::Again,
            now if now & DYING != 0 => Begun::TooLate,
            _ => Begun::First,
        }
    }

    /// Until here. A signal: it came meanwhile, all others are done and nobody can begin any more,
    /// and the caller is to remove what is left and die of it.
    #[must_use]
    #[inline]
    pub(crate) fn end(&self) -> Option<i32> {
        // As nearly always: no signal has come, and nothing else changes at this moment.
        let now = self.0.load(Ordering::Relaxed);
        if now & SIGNAL == 0 && self.replace(now, now - 1).is_ok() {
            return None;
        }
        self.end_slowly()
    }

    #[cold]
    fn end_slowly(&self) -> Option<i32> {
        let is_last = |now: u32| now & SIGNAL != 0 && now & COUNT == 1;
        let before = self.update(|now| Some(if is_last(now) { now | DYING } else { now - 1 }));
        before.ok().filter(|&before| is_last(before)).map(signal_of)
    }

    /// Whether anybody has begun.
    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::Acquire) & COUNT != 0
    }

    fn update(&self, next: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        let mut now = self.0.load(Ordering::Acquire);
        while let Some(next) = next(now) {
            match self.replace(now, next) {
                Ok(before) => return Ok(before),
                Err(changed) => now = changed,
            }
        }
        Err(now)
    }

    fn replace(&self, now: u32, next: u32) -> Result<u32, u32> {
        self.0
            .compare_exchange(now, next, Ordering::AcqRel, Ordering::Acquire)
    }
}

fn signal_of(word: u32) -> i32 {
    ((word & SIGNAL) >> SIGNAL_SHIFT) as i32
}

/// What a handler that has begun is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Its signal, or another, waits for those who are in the middle of something. Another does not
    /// hurry the first, for service managers send two in a row.
    First,
    /// The very same signal was waiting already: somebody presses Ctrl-C again because the first
    /// time seemed not to help. It should not wait any longer.
    Again,
    /// Nothing was begun: the process is ending by another signal.
    TooLate,
}

/// Whose turn it is to remove one file.
#[derive(Debug)]
pub(crate) struct Turn(AtomicU32);

/// There is no file to be removed.
const NONE: u32 = 0;
/// Somebody has claimed it.
const CLAIMED: u32 = 1 << 31;

/// The occasions on which a file is removed without its guard; its guard always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occasions(u32);

impl Occasions {
    pub(crate) const SIGNAL: Self = Self(1);
    pub(crate) const EXIT: Self = Self(2);
    const GUARD: Self = Self(4);
    pub(crate) const ANY: Self = Self(7);

    pub(crate) fn new(signal: bool, exit: bool) -> Self {
        let pick = |wanted: bool, occasion: Self| if wanted { occasion.0 } else { 0 };
        Self(Self::GUARD.0 | pick(signal, Self::SIGNAL) | pick(exit, Self::EXIT))
    }
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// The file is there, and what is needed to remove it can be read.
    pub(crate) fn publish(&self, occasions: Occasions) {
        self.0.store(occasions.0, Ordering::Release);
    }

    /// Whether the caller is the one to remove it, if it is to be removed on this occasion. What
    /// was published is the caller's alone from then on.
    #[must_use]
    pub(crate) fn claim(&self, occasion: Occasions) -> bool {
        let now = self.0.load(Ordering::Acquire);
        now & CLAIMED == 0
            && now & occasion.0 != 0
            && self
                .0
                .compare_exchange(now, CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// It is removed, by the caller, and another can be published.
    pub(crate) fn done(&self) {
        self.0.store(NONE, Ordering::Release);
    }
}
