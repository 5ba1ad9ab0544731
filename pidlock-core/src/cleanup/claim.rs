//! A stretch in which files are made or removed, and a signal waits for its end.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::process::Process;
use super::signal;
use crate::plan::{OnSignal, Plan};
use crate::record::Text;
use crate::sys::ThisProcess;

pub(crate) struct Claim {
    pub(super) process: &'static Process,
}

impl Claim {
    /// Begins one; they do not nest. If a signal is about to end the process, never returns.
    #[inline]
    pub(crate) fn begin(me: ThisProcess) -> Self {
        Self::begin_in(Process::get(me))
    }

    #[inline]
    pub(super) fn begin_in(process: &'static Process) -> Self {
        if !process.claims.begin() {
            await_the_end();
        }
        Self { process }
    }

    /// Whether any thread of process `me` is in the middle of one.
    pub(crate) fn is_anybodys(me: ThisProcess) -> bool {
        Process::get(me).claims.is_any()
    }

    /// What the pidfiles of the process say.
    #[inline]
    pub(crate) fn text(&self) -> &'static Text {
        &self.process.text
    }

    /// From now on a signal that comes finds a handler that waits for the end of this: to be called
    /// before a file is made or written to.
    #[inline]
    pub(crate) fn arm(&self, plan: &Plan<'_>) {
        if !self.is_armed(plan) {
            self.install(plan);
        }
    }

    #[inline(never)] // once in each process
    fn install(&self, plan: &Plan<'_>) {
        signal::install(plan.on_signal);
        if plan.on_signal == OnSignal::Auto {
            // Not before: another thread would go on without. Twice does no harm.
            self.process.installed.store(true, Ordering::Release);
        }
    }

    /// Whether there is nothing left to do for that.
    #[inline]
    pub(crate) fn is_armed(&self, plan: &Plan<'_>) -> bool {
        match plan.on_signal {
            OnSignal::Off => true,
            OnSignal::Force => false,
            OnSignal::Auto => self.process.installed.load(Ordering::Acquire),
        }
    }

    /// The same once more, for a process that may have set all signals back to their defaults since,
    /// as daemonizers do.
    #[cfg(unix)]
    pub(crate) fn arm_anew(&self, plan: &Plan<'_>) {
        if plan.on_signal != OnSignal::Off {
            signal::install(plan.on_signal);
        }
    }
}

/// Microseconds before it: there is nothing that may still be done. Not parked, for which a thread that
/// is at its own end has nothing left.
#[cold]
fn await_the_end() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

impl Drop for Claim {
    #[inline]
    fn drop(&mut self) {
        self.process.end_claim();
    }
}
