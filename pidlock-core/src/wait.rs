//! Acquires a pidfile, and waits for its holder as long as the settings allow.
//!
//! `Waiter::step` makes one attempt and sets the time of the next one. Threads and futures both
//! call it. They differ only in what happens between two calls: a thread blocks, a future sets an
//! alarm.
//!
//! A waiter first watches the file, then makes an attempt, then sleeps, so a release after the
//! attempt ends the sleep. An attempt must not cause an event, because waiters would then wake each
//! other for ever. To close the file would cause one, so a waiter keeps it open between two
//! attempts, as long as the path refers to it.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::alarm::Alarm;
use crate::error::{During, PidFileError, Result};
use crate::guard::PidGuard;
use crate::protocol::acquire::{Locked, Start};
use crate::protocol::contention::PROBE_GRACE;
use crate::protocol::lockless;
use crate::protocol::open;
use crate::queue::Place;
use crate::settings::Target;
use crate::sys::{self, Events, Source, Stat};
use crate::trace::event;

/// The pause between the attempts that are made without a further event. It grows from this one up
/// to the longest, and each event starts it anew, because the attempt that follows the event at
/// once can come too early: the kernel reports that a file is closed before it releases the lock.
const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
/// Some changes cause no event: an unlock without a close, or a change by another machine.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause where the file cannot be watched.
const LONGEST_UNWATCHED: Duration = Duration::from_millis(20);

/// Called with the refusal when a start begins to wait.
#[derive(Clone)]
pub(crate) struct OnWait(pub(crate) Arc<OnWaitFn>);

type OnWaitFn = dyn Fn(&PidFileError) + Send + Sync + UnwindSafe + RefUnwindSafe;

impl fmt::Debug for OnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWait")
    }
}

/// Acquires the file, and waits for its holder. Writes the record if `leaves_record` is set, and
/// otherwise leaves the file blank. Blocks the thread.
pub(crate) fn lock(target: Target, on_wait: Option<OnWait>, leaves_record: bool) -> Result<Locked> {
    let mut waiter = Waiter::new(target, on_wait, leaves_record);
    loop {
        let waker = || Arc::new(Unpark(thread::current())).into();
        if let Poll::Ready(locked) = waiter.step(waker)? {
            return Ok(locked);
        }
        let time = waiter.until.map_or(Duration::MAX, time_until);
        match waiter.is_queued {
            true => thread::park_timeout(time),
            false => drop(sys::sleep(&waiter.sources(), time)),
        }
    }
}

/// Opens a file that is only inspected. If another program has it open without sharing it, retries
/// for as long as a start does. Blocks the thread.
pub(crate) fn open_existing(target: &Target) -> Result<Option<(File, Stat)>> {
    let since = Instant::now();
    loop {
        match open::open_existing(target, &target.path) {
            Err(error) if error.is_in_use() && since.elapsed() < PROBE_GRACE => {
                thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

fn time_until(time: Instant) -> Duration {
    time.saturating_duration_since(Instant::now())
}

/// Wakes a thread in the queue.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A start that waits for a holder, if there is one.
struct Waiter {
    start: Start,
    on_wait: Option<OnWait>,
    /// When the first attempt was made.
    began: Option<Instant>,
    /// `None` until an attempt was refused, so that the start waits for a holder.
    place: Option<Place>,
    /// Another waiter of this process is before this one in the queue, so this one makes no
    /// attempt.
    is_queued: bool,
    events: Option<Events>,
    /// The last pause.
    pause: Duration,
    rivals: Rivals,
    /// When to call `step` again, unless an event or the waker comes first. `None` if only these
    /// count.
    until: Option<Instant>,
}

impl Waiter {
    fn new(target: Target, on_wait: Option<OnWait>, leaves_record: bool) -> Self {
        Self {
            start: Start::new(target, leaves_record),
            on_wait,
            began: None,
            place: None,
            is_queued: false,
            events: None,
            pause: Duration::ZERO,
            rivals: Rivals::default(),
            until: None,
        }
    }

    /// Makes an attempt, unless another waiter of this process is before this one in the queue:
    /// then the waker is called once this one is the first. Never blocks.
    fn step(&mut self, waker: impl Fn() -> Waker) -> Result<Poll<Locked>> {
        if !self.start.process.is_current() {
            // This is a forked child. It is a start of its own, and must not use the descriptors
            // that it shares with its parent.
            let start = &self.start;
            let (target, leaves_record) = (start.target.clone(), start.leaves_record);
            *self = Self {
                began: self.began,
                ..Self::new(target, self.on_wait.take(), leaves_record)
            };
        }
        self.rivals.is_backing_off = false;
        if self.events.as_mut().is_some_and(Events::take) {
            self.pause = Duration::ZERO;
        }
        self.is_queued = self
            .place
            .as_ref()
            .is_some_and(|place| !place.is_first(waker()));
        let began = *self.began.get_or_insert_with(Instant::now);
        let timeout = self.start.target.settings.timeout;
        let deadline = began.checked_add(timeout.unwrap_or_default());
        let left = deadline.map_or(Duration::MAX, time_until);
        let is_over = left.is_zero();
        let refusal = |error: PidFileError| {
            if let (true, Some(path)) = (error.is_contention(), error.path()) {
                event!(DEBUG, path, error.pid(), "refused", error);
            }
            match timeout {
                None | Some(Duration::ZERO) => error,
                Some(_) => error.after(began.elapsed()),
            }
        };
        let pause = match self.attempt(is_over) {
            Ok(Poll::Ready(locked)) => return Ok(Poll::Ready(locked)),
            Ok(Poll::Pending) if self.is_queued && !is_over => Duration::MAX,
            Ok(Poll::Pending) if is_over && self.place.is_some() => {
                return Err(refusal(PidFileError::locked(&self.start.target.path, None)));
            }
            Ok(Poll::Pending) => self.start.next_pause(is_over)?,
            Err(error) if error.is_contention() && !is_over => self.outlast(&error, waker),
            Err(error) => return Err(refusal(error)),
        };
        // The timeout limits the wait for a holder. While it is unclear whether there is one, the
        // start retries even after the timeout.
        let pause = if is_over { pause } else { pause.min(left) };
        self.until = Instant::now().checked_add(pause);
        Ok(Poll::Pending)
    }

    fn attempt(&mut self, is_over: bool) -> Result<Poll<Locked>> {
        let target = &self.start.target;
        let attempt = match target.settings.lock {
            _ if self.is_queued && !is_over => return Ok(Poll::Pending),
            true => self.start.attempt(),
            false => lockless::acquire(target).map(|it| Poll::Ready(Locked::HeldBySelf(it))),
        };
        match attempt {
            Err(error) if error.is_in_use() => self.start.outlast_use().ok_or(error),
            attempt => attempt,
        }
    }

    /// Prepares to wait after an attempt was refused: enters the queue and watches the file.
    /// Returns how long to sleep until the next attempt.
    fn outlast(&mut self, refusal: &PidFileError, waker: impl Fn() -> Waker) -> Duration {
        if let Some(OnWait(on_wait)) = self.on_wait.take() {
            on_wait(refusal);
        }
        let path = &self.start.target.path;
        if self.place.is_none() {
            event!(DEBUG, path, refusal.pid(), "waiting");
        }
        let place = (self.place).get_or_insert_with(|| Place::take(path.to_path_buf(), waker()));
        self.is_queued = !place.is_first(waker());
        self.start.outlast_holder(!self.is_queued);
        if self.is_queued {
            return Duration::MAX;
        }
        if let Some(pause) = self.rivals.back_off(refusal.pid()) {
            return pause;
        }
        let longest = match self.watch(refusal) {
            // The holder may have released the file before the watch began, so try again at once.
            Ok(true) => return Duration::ZERO,
            Ok(false) => LONGEST_PAUSE,
            Err(_) => LONGEST_UNWATCHED,
        };
        self.pause = (self.pause * 4).clamp(SHORTEST_PAUSE, longest);
        self.pause
    }

    /// Watches the file, and the process that the refusal names if that one does not lock the file.
    /// Returns `true` if one of them was not watched before.
    fn watch(&mut self, refusal: &PidFileError) -> io::Result<bool> {
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(Events::new()?),
        };
        // If the holder does not lock the file, other starts read and close it in each attempt, so
        // a close after reading must not be an event.
        let is_locked = matches!(refusal, PidFileError::AlreadyLocked { .. });
        let is_new = events.watch_file(&self.start.target.path, is_locked)?;
        let process = refusal.pid().filter(|_| !is_locked);
        Ok(process.is_some_and(|pid| events.watch_process(pid)) || is_new)
    }

    /// What ends the sleep until the next call of `step`.
    fn sources(&self) -> Vec<Source> {
        match &self.events {
            Some(events) if !self.rivals.is_backing_off => events.sources(),
            _ => Vec::new(),
        }
    }
}

/// The other processes that wait for the same file.
///
/// A release wakes all waiters, and all but one are refused again. With hundreds of waiters, that
/// takes longer than a short hold. So a waiter that has lost a race against another process ignores
/// events for a random time, whose limit doubles with each loss.
#[derive(Default)]
struct Rivals {
    holder: Option<u32>,
    losses: u32,
    is_backing_off: bool,
}

impl Rivals {
    /// The limit of the pause doubles up to 32 ms.
    const MAX_DOUBLINGS: u32 = 5;

    /// Returns how long to ignore events, if the file has another holder than at the last call.
    fn back_off(&mut self, holder: Option<u32>) -> Option<Duration> {
        let before = self.holder;
        self.holder = holder.or(before);
        self.is_backing_off = before.is_some() && self.holder != before;
        self.is_backing_off.then(|| {
            let limit = 1_000 << self.losses.min(Self::MAX_DOUBLINGS);
            self.losses += 1;
            Duration::from_micros(RandomState::new().hash_one(()) % limit)
        })
    }
}

/// Acquires a pidfile: the future that [`PidFile::acquire_async`](crate::PidFile::acquire_async) returns.
///
/// It needs no particular runtime. Dropping it ends the wait and leaves nothing behind.
///
/// # Panics
///
/// If it is polled after it has completed.
///
/// # Examples
///
/// Two files at once, so that neither waits for the other:
///
/// ```
/// use pidlock_core::{Acquire, PidFile, PidFileError};
///
/// async fn both() -> Result<(), PidFileError> {
///     let index: Acquire = PidFile::new("my_index").wait(true).acquire_async();
///     let cache: Acquire = PidFile::new("my_cache").wait(true).acquire_async();
///     let (_index, _cache) = (index.await?, cache.await?);
///     Ok(())
/// }
/// # let _ = both();
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Acquire {
    // Declared first, so that it is cancelled before `waiter` closes the descriptors that it sleeps
    // for.
    alarm: Option<Alarm>,
    /// `None` once the future has completed.
    waiter: Option<Result<Box<Waiter>>>,
}

impl Acquire {
    pub(crate) fn new(target: Result<Target>, on_wait: Option<OnWait>) -> Self {
        let waiter = target.map(|target| Box::new(Waiter::new(target, on_wait, true)));
        Self {
            alarm: None,
            waiter: Some(waiter),
        }
    }
}

impl Future for Acquire {
    type Output = Result<PidGuard, PidFileError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiter = self.waiter.take();
        let mut waiter = waiter.expect("`Acquire` is polled after it has completed")?;
        let waker = || cx.waker().clone();
        let is_asleep = |alarm: &Alarm| alarm.set_waker(waker());
        if waiter.is_queued || !self.alarm.as_ref().is_some_and(is_asleep) {
            self.alarm = None;
            if let Poll::Ready(locked) = waiter.step(waker)? {
                let handle = locked.into_handle();
                return Poll::Ready(Ok(PidGuard { handle }));
            }
            let alarm = Alarm::set(waiter.until, waiter.sources(), waker());
            self.alarm = Some(alarm.during("wait for", &waiter.start.target.path)?);
        }
        self.waiter = Some(Ok(waiter));
        Poll::Pending
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiter_backs_off_only_when_the_holder_changes() {
        let mut rivals = Rivals::default();
        for holder in [None, Some(1), Some(1), None, Some(1)] {
            assert_eq!(rivals.back_off(holder), None);
        }
        for (losses, holder) in (2..20).enumerate() {
            let limit = Duration::from_millis([1, 2, 4, 8, 16, 32][losses.min(5)]);
            assert!(rivals.back_off(Some(holder)).expect("a pause") < limit);
            assert!(rivals.is_backing_off);
            assert_eq!(rivals.back_off(Some(holder)), None);
            assert!(!rivals.is_backing_off);
        }
    }
}
