//! Wakes tasks: one helper thread in the process sleeps for all of them.
//!
//! The thread does nothing but call wakers. The first alarm starts it, and it ends after a while
//! without alarms. A forked child has no such thread until it sets an alarm.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::{self, Interrupt, PerProcess, ProcessInstance, Source};

/// Unlocked before a waker is called or dropped, because code of the waker could set or cancel an
/// alarm, which would deadlock.
static ALARMS: PerProcess<Mutex<Alarms>> = PerProcess::new();

/// How long the thread stays without alarms. A waiting task sets one alarm after the other, and
/// should not start a thread for each.
const IDLE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Alarms {
    pending: BTreeMap<u64, Pending>,
    last: u64,
    /// When the helper thread will wake without a source or an interrupt.
    wakes_at: Option<Instant>,
    /// Ends the sleep of the helper thread. `None` if that does not run.
    interrupt: Option<Arc<Interrupt>>,
}

struct Pending {
    until: Option<Instant>,
    sources: Vec<Source>,
    waker: Waker,
}

/// An alarm that goes off once. Dropping it cancels it.
pub(crate) struct Alarm {
    process: ProcessInstance,
    number: u64,
}

impl Alarm {
    /// Sets an alarm, which calls the waker at the time `until` or when a source is ready.
    pub(crate) fn set(
        until: Option<Instant>,
        sources: Vec<Source>,
        waker: Waker,
    ) -> io::Result<Self> {
        let process = ProcessInstance::current();
        let mut alarms = ALARMS.lock(process);
        if alarms.interrupt.is_none() {
            let interrupt = Arc::new(Interrupt::new()?);
            let thread = thread::Builder::new().name("pidlock".to_owned());
            let its = interrupt.clone();
            thread.spawn(move || run(process, &its))?;
            alarms.interrupt = Some(interrupt);
        }
        alarms.last += 1;
        let number = alarms.last;
        let wakes_at = alarms.wakes_at;
        let is_first = until.is_some_and(|until| wakes_at.is_none_or(|it| until < it));
        if is_first || !sources.is_empty() {
            alarms.interrupt();
        }
        let pending = Pending {
            until,
            sources,
            waker,
        };
        alarms.pending.insert(number, pending);
        Ok(Self { process, number })
    }

    /// Makes the alarm call this waker instead. Returns `false` if the alarm has gone off, or is
    /// the parent's.
    pub(crate) fn set_waker(&self, mut waker: Waker) -> bool {
        if !self.process.is_current() {
            return false;
        }
        let mut alarms = ALARMS.lock(self.process);
        let pending = alarms.pending.get_mut(&self.number);
        let is_pending = pending.map(|it| mem::swap(&mut it.waker, &mut waker));
        drop(alarms); // before `waker`, now the old one, is dropped
        is_pending.is_some()
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.process.is_current() {
            let mut alarms = ALARMS.lock(self.process);
            let cancelled = alarms.pending.remove(&self.number);
            // The thread must not sleep for a source that is closed, nor stay without alarms. An
            // interrupt for each alarm would make it read all of them each time.
            let is_last = alarms.pending.is_empty();
            if (cancelled.as_ref()).is_some_and(|it| is_last || !it.sources.is_empty()) {
                alarms.interrupt();
            }
            drop(alarms); // before `cancelled` and its waker are dropped
        }
    }
}

impl Alarms {
    /// Ends the sleep of the helper thread, so that it reads the alarms again.
    fn interrupt(&self) {
        if let Some(interrupt) = &self.interrupt {
            interrupt.send();
        }
    }
}

/// The helper thread.
fn run(process: ProcessInstance, interrupt: &Interrupt) {
    sys::block_signals();
    let mut was_idle = false;
    loop {
        let mut alarms_now = ALARMS.lock(process);
        let pending = &alarms_now.pending;
        let is_idle = pending.is_empty();
        if is_idle && was_idle {
            alarms_now.interrupt = None;
            drop(alarms_now);
            return sys::close_spare_events(process);
        }
        was_idle = is_idle;
        let next = pending.values().filter_map(|it| it.until).min();
        let longest = if is_idle { IDLE } else { Duration::MAX };
        let time = next.map_or(longest, |it| it.saturating_duration_since(Instant::now()));
        let sources = pending
            .iter()
            .flat_map(|(number, it)| it.sources.iter().map(|it| (*number, *it)));
        let (numbers, sources): (Vec<u64>, Vec<Source>) = sources.unzip();
        alarms_now.wakes_at = next;
        drop(alarms_now);

        let ready = interrupt.sleep(sources, time);
        let mut due: Vec<u64> = numbers
            .into_iter()
            .zip(ready)
            .filter(|it| it.1)
            .map(|it| it.0)
            .collect();
        let now = Instant::now();
        let mut alarms_now = ALARMS.lock(process);
        let over = alarms_now
            .pending
            .iter()
            .filter(|(_, it)| it.until.is_some_and(|it| it <= now));
        due.extend(over.map(|(number, _)| number));
        let due: Vec<Pending> = due
            .iter()
            .filter_map(|it| alarms_now.pending.remove(it))
            .collect();
        drop(alarms_now);

        for Pending { waker, .. } in due {
            // If a waker panics, the other ones must be called all the same.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}
