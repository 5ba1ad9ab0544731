//! How often each operation allocates memory stays within budgets.toml.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use pidlock_benches::contenders::Contender;
use pidlock_benches::holder::Holder;
use pidlock_benches::operation::Operation;
use pidlock_benches::place::Place;

/// The system's allocator, counting.
struct Counting;

thread_local! {
    /// Per thread: tests run side by side.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // Gone at the very end of a thread.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: all is done by the system's allocator, which keeps the promises; counting allocates
// nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises; the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(operation: Operation) {
    let place = Place::memory();
    let path = place.path().join("app.pid");
    let _holder = operation
        .is_held()
        .then(|| Holder::contender("ours", &path));
    let run = Contender::by_key("ours")
        .operation(operation)
        .expect("it does that");
    operation.prepare(&path);
    run(&path); // the first hold in a process is not counted
    operation.prepare(&path);
    let before = COUNT.get();
    drop(black_box(Box::new(0u8)));
    assert_eq!(COUNT.get(), before + 1, "nothing is counted");
    let before = COUNT.get();
    run(&path);
    let ours = COUNT.get() - before;
    let most = budget(operation);
    println!("{}: {ours} allocations, at most {most}", operation.name());
    assert!(ours <= most, "{ours} allocations, at most {most}");
}

fn budget(operation: Operation) -> usize {
    let text = include_str!("../budgets.toml");
    let all: toml::Table = text.parse().expect("budgets.toml is well-formed");
    let most = all[operation.name()]["most_allocations"].as_integer();
    most.and_then(|most| usize::try_from(most).ok())
        .expect("a number")
}

#[test]
fn fresh_start_stays_within_its_allocation_budget() {
    allocations(Operation::Fresh);
}

#[test]
fn stale_start_stays_within_its_allocation_budget() {
    allocations(Operation::Stale);
}

#[test]
fn contended_start_stays_within_its_allocation_budget() {
    allocations(Operation::Contended);
}

#[test]
fn status_stays_within_its_allocation_budget() {
    allocations(Operation::Status);
}
