//! Every interleaving, with up to three preemptions (two among three threads), of those who may remove a pidfile: its guard,
//! the exit handler and signal handlers. This is the code itself, `cleanup/shutdown.rs`, on atomics
//! of loom, which tries every order that the memory model allows.

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

const NOT_YET: u32 = 0;
const THERE: u32 = 1;
const REMOVED: u32 = 2;

/// A process with some slots, and the files that it makes one after the other.
struct Process {
    shutdown: Shutdown,
    slots: Vec<Slot>,
    /// The file system, which is no memory: plain atomics, that add no orders to be tried.
    files: Vec<AtomicU32>,
    died_of: AtomicU32,
}

struct Slot {
    removal: RemovalClaim,
    /// Which file is to be removed. Checked, on every access, to be nobody else's at that moment.
    will: UnsafeCell<usize>,
}

/// What ends a thread of the process in the real world: its end, or that of the whole process.
struct Ended;

impl Process {
    fn new(slots: usize, files: usize) -> Rc<Self> {
        Rc::new(Self {
            shutdown: Shutdown::default(),
            slots: (0..slots)
                .map(|_| Slot {
                    removal: RemovalClaim::default(),
                    will: UnsafeCell::new(usize::MAX),
                })
                .collect(),
            files: (0..files).map(|_| AtomicU32::new(NOT_YET)).collect(),
            died_of: AtomicU32::new(0),
        })
    }

    fn remove(&self, file: usize) {
        let before = self.files[file].swap(REMOVED, SeqCst);
        assert_eq!(before, THERE, "removed twice, or before it was there");
    }

    fn sweep(&self, occasion: RemoveOn) {
        for slot in &self.slots {
            if slot.removal.try_claim(occasion) {
                // SAFETY: no pointer leaves the closure; loom checks that no access overlaps.
                #[allow(unsafe_code)]
                self.remove(slot.will.with(|will| unsafe { *will }));
            }
        }
    }

    fn die(&self, signal: u32) -> Result<(), Ended> {
        self.died_of.store(signal, SeqCst);
        for file in &self.files {
            assert_ne!(file.load(SeqCst), THERE, "died of {signal} and left a file");
        }
        Err(Ended)
    }

    fn end(&self) -> Result<(), Ended> {
        match self.shutdown.leave() {
            Some(signal) => {
                self.sweep(RemoveOn::SIGNAL);
                self.die(u32::try_from(signal).expect("a number"))
            }
            None => Ok(()),
        }
    }

    fn begin(&self) -> Result<(), Ended> {
        if self.shutdown.enter() {
            Ok(())
        } else {
            Err(Ended)
        }
    }

    /// A guard's life; whether its slot is free again in the end. `interrupt` is called at every point where a signal can come on this very
    /// thread.
    fn hold(
        &self,
        slot: usize,
        file: usize,
        mut interrupt: impl FnMut(u32) -> Result<(), Ended>,
    ) -> Result<bool, Ended> {
        let slot = &self.slots[slot];
        interrupt(0)?;
        self.begin()?;
        interrupt(1)?;
        self.files[file].store(THERE, SeqCst);
        interrupt(2)?;
        // SAFETY: as in `sweep`.
        #[allow(unsafe_code)]
        slot.will.with_mut(|will| unsafe { *will = file });
        slot.removal.publish(RemoveOn::new(true, true));
        interrupt(3)?;
        self.end()?;
        interrupt(4)?;
        self.begin()?;
        interrupt(5)?;
        let claimed = slot.removal.try_claim(RemoveOn::GUARD);
        if claimed {
            interrupt(6)?;
            self.remove(file);
            // SAFETY: as in `sweep`.
            #[allow(unsafe_code)]
            slot.will.with_mut(|will| unsafe { *will = usize::MAX });
            slot.removal.reset();
        }
        interrupt(7)?;
        self.end()?;
        interrupt(8)?;
        Ok(claimed)
    }

    fn hold_twice(&self) -> Result<(), Ended> {
        let free_again = self.hold(0, 0, uninterrupted)?;
        self.hold(if free_again { 0 } else { 1 }, 1, uninterrupted)?;
        Ok(())
    }

    fn signal(&self, signal: u32) -> Result<(), Ended> {
        let begun = self
            .shutdown
            .note_signal(i32::try_from(signal).expect("a number"));
        match begun {
            Noted::Pending => self.end(),
            Noted::Repeated => {
                self.sweep(RemoveOn::SIGNAL);
                self.died_of.store(signal, SeqCst);
                Err(Ended)
            }
            Noted::Terminating => Ok(()),
        }
    }

    fn exit(&self) -> Result<(), Ended> {
        if !self.shutdown.enter_even_if_pending() {
            return Err(Ended);
        }
        self.sweep(RemoveOn::EXIT);
        self.end()
    }

    fn assert_died_of(&self, one_of: &[u32]) {
        let died_of = self.died_of.load(SeqCst);
        assert!(one_of.contains(&died_of), "a signal was lost: {died_of}");
        for file in &self.files {
            assert_ne!(file.load(SeqCst), THERE, "a file was left");
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
        .for_each(|thread| thread.join().expect("no thread fails"));
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
fn a_signal_on_another_thread_meets_a_guard_that_comes_and_goes_twice() {
    explore(3, || {
        let process = Process::new(2, 2);
        let holder = in_thread(&process, Process::hold_twice);
        let handler = in_thread(&process, |process| process.signal(TERM));
        join([holder, handler]);
        process.assert_died_of(&[TERM]);
    });
}

#[test]
fn a_signal_interrupts_the_guards_own_thread_at_any_point() {
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
            process.assert_died_of(&[TERM]);
        });
    }
}

#[test]
fn two_different_signals_on_two_threads_meet_a_guard() {
    explore(2, || {
        let process = Process::new(1, 1);
        let threads = [
            in_thread(&process, |process| process.hold(0, 0, uninterrupted)),
            in_thread(&process, |process| process.signal(TERM)),
            in_thread(&process, |process| process.signal(INT)),
        ];
        join(threads);
        process.assert_died_of(&[TERM, INT]);
    });
}

#[test]
fn an_exit_meets_a_signal_and_a_guard() {
    explore(2, || {
        let process = Process::new(1, 1);
        let threads = [
            in_thread(&process, |process| process.hold(0, 0, uninterrupted)),
            in_thread(&process, Process::exit),
            in_thread(&process, |process| process.signal(TERM)),
        ];
        join(threads);
        process.assert_died_of(&[TERM]);
    });
}

#[test]
fn an_exit_meets_a_guard_that_comes_and_goes_twice() {
    explore(3, || {
        let process = Process::new(2, 2);
        let threads = [
            in_thread(&process, Process::hold_twice),
            in_thread(&process, Process::exit),
        ];
        join(threads);
        assert_eq!(process.died_of.load(SeqCst), 0);
        assert!(!process.shutdown.in_progress());
        // What was there was removed, by whomever; `remove` saw to it that it was once.
        for file in &process.files {
            assert_ne!(file.load(SeqCst), THERE);
        }
    });
}

#[test]
fn the_same_signal_twice_does_not_wait_for_a_guard_that_hangs() {
    explore(3, || {
        let process = Process::new(1, 1);
        assert!(process.begin().is_ok(), "a removal that hangs");
        assert!(
            process.signal(TERM).is_ok(),
            "the first signal waits for it"
        );
        assert!(process.begin().is_err(), "nobody new makes it wait longer");
        assert!(
            process.shutdown.enter_even_if_pending(),
            "an exit is not kept waiting"
        );
        assert!(process.end().is_ok(), "nor does it end the wait");
        assert!(process.signal(INT).is_ok(), "so does another one");
        assert!(process.signal(TERM).is_err(), "the same once more does not");
        assert_eq!(process.died_of.load(SeqCst), TERM);
    });
}

#[test]
fn a_file_that_is_not_to_be_removed_on_an_occasion_is_not() {
    explore(3, || {
        let removal = RemovalClaim::default();
        removal.publish(RemoveOn::new(false, false));
        assert!(!removal.try_claim(RemoveOn::SIGNAL) && !removal.try_claim(RemoveOn::EXIT));
        assert!(removal.try_claim(RemoveOn::GUARD), "its guard always may");
        assert!(!removal.try_claim(RemoveOn::GUARD), "but once");
        removal.reset();
        removal.publish(RemoveOn::new(true, false));
        assert!(!removal.try_claim(RemoveOn::EXIT) && removal.try_claim(RemoveOn::SIGNAL));
    });
}
