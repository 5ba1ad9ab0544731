//! Every interleaving, with up to three preemptions (two among three threads), of a pidfile's
//! guard, the exit handler and the signal handlers. Each of them can remove the file. The model
//! contains the real `cleanup/shutdown.rs`, with the atomics of loom, which tries every order that
//! the memory model allows.

/// What `shutdown.rs` imports.
mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering};
}

#[path = "../../pidlock-core/src/cleanup/shutdown.rs"]
mod shutdown;

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use loom::cell::UnsafeCell;
use loom::thread;
use shutdown::{Noted, RemovalClaim, RemoveOn, Shutdown};

const TERM: u32 = 15;
const INT: u32 = 2;

const NOT_CREATED: u32 = 0;
const EXISTS: u32 = 1;
const REMOVED: u32 = 2;

/// A process, with the slots of its table and the files that it creates one after the other.
struct Process {
    shutdown: Shutdown,
    slots: Vec<Slot>,
    /// Plain atomics, because the file system is not memory of the process. They add no orders for
    /// loom to try.
    files: Vec<AtomicU32>,
    terminated_by: AtomicU32,
}

struct Slot {
    removal: RemovalClaim,
    /// The index of the file that is held. loom checks that no two accesses overlap.
    held: UnsafeCell<usize>,
}

/// The thread does not continue: the process is terminated, or the thread waits for its
/// termination.
struct Ended;

impl Process {
    fn new(slots: usize, files: usize) -> Rc<Self> {
        Rc::new(Self {
            shutdown: Shutdown::default(),
            slots: (0..slots)
                .map(|_| Slot {
                    removal: RemovalClaim::default(),
                    held: UnsafeCell::new(usize::MAX),
                })
                .collect(),
            files: (0..files).map(|_| AtomicU32::new(NOT_CREATED)).collect(),
            terminated_by: AtomicU32::new(0),
        })
    }

    fn remove(&self, file: usize) {
        let before = self.files[file].swap(REMOVED, SeqCst);
        assert_eq!(before, EXISTS, "removed twice, or before it was created");
    }

    fn remove_all(&self, occasion: RemoveOn) {
        for slot in &self.slots {
            if slot.removal.try_claim(occasion) {
                // SAFETY: only the thread that has claimed the removal accesses `held`. loom fails
                // the test if another access overlaps.
                #[allow(unsafe_code)]
                self.remove(slot.held.with(|held| unsafe { *held }));
            }
        }
    }

    fn terminate_by(&self, signal: u32) -> Result<(), Ended> {
        self.terminated_by.store(signal, SeqCst);
        for file in &self.files {
            assert_ne!(
                file.load(SeqCst),
                EXISTS,
                "terminated by {signal} and left a file"
            );
        }
        Err(Ended)
    }

    fn leave_section(&self) -> Result<(), Ended> {
        match self.shutdown.leave() {
            Some(signal) => {
                self.remove_all(RemoveOn::SIGNAL);
                self.terminate_by(u32::try_from(signal).expect("signal numbers are positive"))
            }
            None => Ok(()),
        }
    }

    fn enter_section(&self) -> Result<(), Ended> {
        if self.shutdown.enter() {
            Ok(())
        } else {
            Err(Ended)
        }
    }

    /// Acquires and releases. Returns `true` if the slot is free again. `interrupt` is called at
    /// every point where a signal can interrupt this thread.
    fn hold(
        &self,
        slot: usize,
        file: usize,
        mut interrupt: impl FnMut(u32) -> Result<(), Ended>,
    ) -> Result<bool, Ended> {
        let slot = &self.slots[slot];
        interrupt(0)?;
        self.enter_section()?;
        interrupt(1)?;
        self.files[file].store(EXISTS, SeqCst);
        interrupt(2)?;
        // SAFETY: no thread can claim the removal, and so read `held`, before it is published. loom
        // fails the test if another access overlaps.
        #[allow(unsafe_code)]
        slot.held.with_mut(|held| unsafe { *held = file });
        slot.removal.publish(RemoveOn::new(true, true));
        interrupt(3)?;
        self.leave_section()?;
        interrupt(4)?;
        self.enter_section()?;
        interrupt(5)?;
        let claimed = slot.removal.try_claim(RemoveOn::GUARD);
        if claimed {
            interrupt(6)?;
            self.remove(file);
            // SAFETY: this thread has claimed the removal, so no other thread accesses `held`. loom
            // fails the test if another access overlaps.
            #[allow(unsafe_code)]
            slot.held.with_mut(|held| unsafe { *held = usize::MAX });
            slot.removal.reset();
        }
        interrupt(7)?;
        self.leave_section()?;
        interrupt(8)?;
        Ok(claimed)
    }

    fn hold_twice(&self) -> Result<(), Ended> {
        let free_again = self.hold(0, 0, uninterrupted)?;
        self.hold(if free_again { 0 } else { 1 }, 1, uninterrupted)?;
        Ok(())
    }

    fn signal(&self, signal: u32) -> Result<(), Ended> {
        let noted = self
            .shutdown
            .note_signal(i32::try_from(signal).expect("a signal number fits into an i32"));
        match noted {
            Noted::Pending => self.leave_section(),
            Noted::Repeated => {
                self.remove_all(RemoveOn::SIGNAL);
                self.terminated_by.store(signal, SeqCst);
                Err(Ended)
            }
            Noted::Terminating => Ok(()),
        }
    }

    fn exit(&self) -> Result<(), Ended> {
        if !self.shutdown.enter_even_if_pending() {
            return Err(Ended);
        }
        self.remove_all(RemoveOn::EXIT);
        self.leave_section()
    }

    fn assert_terminated_by(&self, one_of: &[u32]) {
        let terminated_by = self.terminated_by.load(SeqCst);
        assert!(
            one_of.contains(&terminated_by),
            "terminated by {terminated_by}, not by one of {one_of:?}"
        );
        for file in &self.files {
            assert_ne!(file.load(SeqCst), EXISTS, "a file was left");
        }
    }
}

fn in_thread<T>(
    process: &Rc<Process>,
    act: impl FnOnce(&Process) -> Result<T, Ended> + 'static,
) -> thread::JoinHandle<()> {
    let process = Rc::clone(process);
    thread::spawn(move || drop(act(&process)))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no thread panics"));
}

fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn uninterrupted(_: u32) -> Result<(), Ended> {
    Ok(())
}

#[test]
fn signal_on_other_thread_during_two_holds_terminates_process_and_leaves_no_file() {
    explore(3, || {
        let process = Process::new(2, 2);
        let holder = in_thread(&process, Process::hold_twice);
        let handler = in_thread(&process, |process| process.signal(TERM));
        join([holder, handler]);
        process.assert_terminated_by(&[TERM]);
    });
}

#[test]
fn signal_on_own_thread_at_any_point_terminates_process_and_leaves_no_file() {
    for point in 0..=8 {
        explore(3, move || {
            let process = Process::new(2, 2);
            let other = in_thread(&process, |process| process.hold(1, 1, uninterrupted));
            let holder = in_thread(&process, move |process| {
                process.hold(0, 0, |here| {
                    if here == point {
                        process.signal(TERM)
                    } else {
                        Ok(())
                    }
                })
            });
            join([other, holder]);
            process.assert_terminated_by(&[TERM]);
        });
    }
}

#[test]
fn two_different_signals_on_two_threads_terminate_process_once_and_leave_no_file() {
    explore(2, || {
        let process = Process::new(1, 1);
        let threads = [
            in_thread(&process, |process| process.hold(0, 0, uninterrupted)),
            in_thread(&process, |process| process.signal(TERM)),
            in_thread(&process, |process| process.signal(INT)),
        ];
        join(threads);
        process.assert_terminated_by(&[TERM, INT]);
    });
}

#[test]
fn exit_and_signal_during_hold_leave_no_file() {
    explore(2, || {
        let process = Process::new(1, 1);
        let threads = [
            in_thread(&process, |process| process.hold(0, 0, uninterrupted)),
            in_thread(&process, Process::exit),
            in_thread(&process, |process| process.signal(TERM)),
        ];
        join(threads);
        process.assert_terminated_by(&[TERM]);
    });
}

#[test]
fn exit_during_two_holds_removes_each_file_once() {
    explore(3, || {
        let process = Process::new(2, 2);
        let threads = [
            in_thread(&process, Process::hold_twice),
            in_thread(&process, Process::exit),
        ];
        join(threads);
        assert_eq!(process.terminated_by.load(SeqCst), 0);
        assert!(!process.shutdown.in_progress());
        // Each file that was created is removed. `remove` checks that this happens once.
        for file in &process.files {
            assert_ne!(file.load(SeqCst), EXISTS);
        }
    });
}

#[test]
fn repeated_signal_does_not_wait_for_hanging_release() {
    explore(3, || {
        let process = Process::new(1, 1);
        assert!(process.enter_section().is_ok(), "the release begins");
        assert!(
            process.signal(TERM).is_ok(),
            "the first signal waits for the release"
        );
        assert!(
            process.enter_section().is_err(),
            "no other section begins while a signal is pending"
        );
        assert!(
            process.shutdown.enter_even_if_pending(),
            "the exit handler begins nevertheless"
        );
        assert!(process.leave_section().is_ok(), "the signal still waits");
        assert!(process.signal(INT).is_ok(), "a different signal waits");
        assert!(
            process.signal(TERM).is_err(),
            "a repeated signal does not wait"
        );
        assert_eq!(process.terminated_by.load(SeqCst), TERM);
    });
}

#[test]
fn file_is_removed_only_on_the_published_occasions() {
    explore(3, || {
        let removal = RemovalClaim::default();
        removal.publish(RemoveOn::new(false, false));
        assert!(!removal.try_claim(RemoveOn::SIGNAL) && !removal.try_claim(RemoveOn::EXIT));
        assert!(
            removal.try_claim(RemoveOn::GUARD),
            "the guard always removes it"
        );
        assert!(!removal.try_claim(RemoveOn::GUARD), "only once");
        assert!(removal.is_claimed(), "until the next file is published");
        removal.reset();
        assert!(!removal.is_claimed());
        removal.publish(RemoveOn::new(true, false));
        assert!(!removal.try_claim(RemoveOn::EXIT) && removal.try_claim(RemoveOn::SIGNAL));
    });
}
