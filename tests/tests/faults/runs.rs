//! A traced run of `traced`, which is stopped at each system call.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use pidlock_tests::ptrace::{Call, Ending, Stepper, Stop};

use super::cases::Case;

/// A point at which the process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before or after a system call of an acquisition or a release.
    Before(Call),
    After(Call),
    /// At the mark with this number.
    Mark(u32),
    Ended(Ending),
}

pub(crate) struct Run {
    pub(crate) stepper: Stepper,
    leads_child: bool,
    leads_helper: bool,
    /// `true` until the helper thread sleeps for the first time. Before that, libc and std set the
    /// thread up, and abort if a call fails.
    awaits_helper: bool,
    /// `true` if the traced process is a child of a process that shares the lock and waits for it.
    pub(crate) has_parent: bool,
    marks: u32,
}

/// The mark after the process has printed whether it holds the file.
pub(crate) const TAKEN: u32 = 3;
/// The mark after the process has printed the outcome of the release.
pub(crate) const GIVEN_BACK: u32 = 5;

impl Run {
    pub(crate) fn start(case: Case, path: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        command.args(case.arguments.split_whitespace()).arg(path);
        let stepper = Stepper::start(&mut command);
        let leads_helper = case.has("--helper");
        if leads_helper {
            stepper.trace_threads();
        }
        Self {
            stepper,
            leads_child: case.has("child"),
            leads_helper,
            awaits_helper: leads_helper,
            has_parent: false,
            marks: 0,
        }
    }

    /// Runs the process to the next moment.
    pub(crate) fn advance(&mut self) -> Moment {
        loop {
            let stop = self.stepper.step();
            if let Some(moment) = self.moment(stop) {
                return moment;
            }
        }
    }

    /// Returns the moment of this stop; `None` if the stop does not concern the tests.
    pub(crate) fn moment(&mut self, stop: Stop) -> Option<Moment> {
        self.awaits_helper &= !matches!(stop, Stop::Before(call) if call.is(libc::SYS_ppoll));
        let in_protocol = matches!(self.marks, 1 | 3) && !self.awaits_helper;
        match stop {
            Stop::Before(call) if call.is_mark() => {
                self.marks += 1;
                Some(Moment::Mark(self.marks))
            }
            Stop::After(call) if call.is_mark() => None,
            Stop::Before(call) => in_protocol.then_some(Moment::Before(call)),
            Stop::After(call) => in_protocol.then_some(Moment::After(call)),
            Stop::Forked => {
                if self.leads_child || self.leads_helper {
                    self.stepper.lead_child();
                    self.has_parent = self.leads_child;
                } else {
                    self.stepper.leave_child();
                }
                None
            }
            Stop::Ended(ending) => Some(Moment::Ended(ending)),
        }
    }
}

/// Returns `true` if this call, before which the process is stopped, asks for the metadata of an
/// open file. std uses `statx` for that.
pub(crate) fn is_fstat(stepper: &Stepper, call: Call) -> bool {
    let [_, _, flags, ..] = stepper.arguments();
    let of_descriptor = u64::from(libc::AT_EMPTY_PATH.unsigned_abs());
    call.is(libc::SYS_fstat) || call.is(libc::SYS_statx) && flags & of_descriptor != 0
}

/// Returns `true` if the call reads or changes state that processes share. To stop a process before
/// any other call has the effect of stopping it before its next call on shared state.
pub(crate) fn is_shared(case: Case, call: Call) -> bool {
    const SHARED: &[libc::c_long] = &[
        libc::SYS_openat,
        libc::SYS_flock,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_fchmod,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
        libc::SYS_ftruncate,
        libc::SYS_link,
        libc::SYS_linkat,
        libc::SYS_rename,
        libc::SYS_unlink,
        libc::SYS_unlinkat,
        libc::SYS_dup3,
        libc::SYS_getpgid,
    ];
    // Closing the descriptor releases the lock.
    let gives_back = case.locks() && call.is(libc::SYS_close);
    gives_back || SHARED.iter().any(|&number| call.is(number))
}

/// Calls `work` with each item, on several threads.
pub(crate) fn each<T: Send>(all: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let all: Vec<T> = all.into_iter().collect();
    let left = Mutex::new(all.into_iter());
    let next = || left.lock().expect("no thread panicked").next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(4, usize::from) * 2 {
            scope.spawn(|| {
                while let Some(one) = next() {
                    work(one);
                }
            });
        }
    });
}
