//! Every interleaving, with up to three preemptions (two among three threads), of holds that come
//! without the registry, go with it, and are looked up. This is the code itself,
//! `cleanup/arrivals.rs`, on atomics and cells of loom, which tries every order that the memory
//! model allows, and sees each access that nothing orders.

/// What `arrivals.rs` is written with.
mod atomic {
    pub(super) use loom::cell::Cell;
    pub(super) use loom::sync::atomic::{AtomicPtr, Ordering};
}

#[path = "../../pidlock-core/src/cleanup/arrivals.rs"]
mod arrivals;

use std::ptr;
use std::rc::Rc;

use arrivals::{Arrivals, Link, Linked, Spare};
use loom::cell::{Cell, UnsafeCell};
use loom::sync::{Mutex, MutexGuard};
use loom::thread;

const NOBODY: u32 = 0;

/// A slot, and whose hold is in it.
struct Slot {
    next: Link<Self>,
    whose: UnsafeCell<u32>,
}

impl Linked for Slot {
    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

impl Slot {
    fn whose(&self) -> u32 {
        // SAFETY: no pointer leaves the closure; loom checks that no access overlaps.
        #[allow(unsafe_code)]
        self.whose.with(|whose| unsafe { *whose })
    }

    fn pass_on(&self, to: u32) {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        self.whose.with_mut(|whose| unsafe { *whose = to });
    }
}

/// As `Process` and `Registry` put it together.
struct Process {
    arrivals: Arrivals<Slot>,
    spare: Spare<Slot>,
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    known: Vec<&'static Slot>,
    free: Vec<&'static Slot>,
}

impl Registry {
    fn let_in(&mut self, mut arrivals: Option<&'static Slot>) {
        while let Some(slot) = arrivals {
            arrivals = slot.next.take();
            self.known.push(slot);
        }
    }

    fn take_free(&mut self) -> &'static Slot {
        self.free.pop().unwrap_or_else(|| {
            Box::leak(Box::new(Slot {
                next: Cell::new(None),
                whose: UnsafeCell::new(NOBODY),
            }))
        })
    }
}

impl Process {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            arrivals: Arrivals::new(),
            spare: Spare::new(),
            registry: Mutex::default(),
        })
    }

    fn registry_without_arrivals(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().expect("nobody panics with it")
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        let mut registry = self.registry_without_arrivals();
        registry.let_in(self.arrivals.take_all());
        registry
    }

    fn enter(&self, who: u32) -> &'static Slot {
        let free = || self.registry().take_free();
        let slot = self.spare.take().unwrap_or_else(free);
        assert_eq!(slot.whose(), NOBODY, "a slot with somebody in it was free");
        slot.pass_on(who);
        self.arrivals.add(slot);
        slot
    }

    fn leave(&self, slot: &'static Slot, who: u32) {
        let mut registry = self.registry_without_arrivals();
        if !self.arrivals.take_back(slot) {
            registry.let_in(self.arrivals.take_all());
            let at = registry
                .known
                .iter()
                .position(|&known| ptr::eq(known, slot));
            registry.known.swap_remove(at.expect("lost"));
        }
        assert_eq!(slot.whose(), who);
        slot.pass_on(NOBODY);
        if !self.spare.put(slot) {
            registry.free.push(slot);
        }
    }

    /// How many there are.
    fn look(&self) -> usize {
        let registry = self.registry();
        for slot in &registry.known {
            assert_ne!(slot.whose(), NOBODY, "found where nobody is");
        }
        registry.known.len()
    }
}

type Thread = fn(&Process);

/// Who makes the process does so before all others.
fn model(preemptions: usize, threads: fn(&Process) -> Vec<Thread>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let process = Process::new();
        let begin = |run: Thread| {
            let process = Rc::clone(&process);
            thread::spawn(move || run(&process))
        };
        let threads: Vec<_> = threads(&process).into_iter().map(begin).collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
        assert_eq!(process.look(), 0, "somebody is there still");
    });
}

#[test]
fn two_come_and_go() {
    model(3, |_| {
        let come_and_go = |process: &Process| {
            for who in [1, 2] {
                let slot = process.enter(who);
                process.leave(slot, who);
            }
        };
        vec![come_and_go, come_and_go]
    });
}

#[test]
fn two_of_one_and_one_of_another() {
    model(3, |_| {
        vec![
            |process| {
                let (first, second) = (process.enter(1), process.enter(2));
                // One from behind the other.
                process.leave(first, 1);
                process.leave(second, 2);
            },
            |process| {
                let slot = process.enter(3);
                process.leave(slot, 3);
            },
        ]
    });
}

#[test]
fn who_looks_finds_what_has_come() {
    model(3, |_| {
        vec![
            |process| {
                let slot = process.enter(1);
                assert!(process.look() >= 1, "this thread's own");
                process.leave(slot, 1);
                let slot = process.enter(2);
                process.leave(slot, 2);
            },
            |process| {
                process.look();
                process.look();
            },
        ]
    });
}

#[test]
fn among_three_threads() {
    model(2, |process| {
        // A spare one, which all of them want.
        let slot = process.enter(9);
        process.leave(slot, 9);
        vec![
            |process| {
                let slot = process.enter(1);
                process.leave(slot, 1);
            },
            |process| {
                let slot = process.enter(2);
                assert!(process.look() >= 1);
                process.leave(slot, 2);
            },
            |process| {
                let slot = process.enter(3);
                process.leave(slot, 3);
            },
        ]
    });
}
