//! Detects forks, so that a child never acts as its parent.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::atomic_ref::AtomicRef;

/// One process: its PID and a generation.
///
/// The PID alone is ambiguous: the first process of a PID namespace can have the PID of its parent.
/// A child of `vfork(2)` shares the memory of its parent and cannot be told from it here. It may do
/// no more than call `exec`, but signals are delivered to it, so a signal handler uses
/// [`PerProcess::peek`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessInstance {
    pid: u32,
    generation: u32,
}

impl ProcessInstance {
    pub(crate) fn current() -> Self {
        let state = fork_state();
        let generation = match state.generation.load(Ordering::Acquire) {
            0 => state.new_generation(),
            known => known,
        };
        Self {
            pid: state.pid(),
            generation,
        }
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// Returns `true` in this process, `false` in its forked children. Stores nothing.
    pub(crate) fn is_current(self) -> bool {
        let state = fork_state();
        state.generation.load(Ordering::Acquire) == self.generation && state.pid() == self.pid
    }

    /// The same where this may be a `vfork` child, which only the kernel can tell from its parent.
    fn is_current_uncached(self) -> bool {
        self.pid == std::process::id() && self.is_current()
    }
}

/// All zeros in a forked child.
struct ForkState {
    /// 0 until the process first asks.
    generation: AtomicU32,
    /// 0 where a child could come to see the PID of its parent: then the kernel is asked each time.
    pid: AtomicU32,
}

/// Wiped by the kernel or reset by a fork handler: see [`init_fork_state`].
static FORK_STATE: AtomicRef<ForkState> = AtomicRef::none();

static RESET_ON_FORK: ForkState = ForkState {
    generation: AtomicU32::new(0),
    pid: AtomicU32::new(0),
};

/// A fork copies it, so the generations of a child are not those of its parent.
static LAST_GENERATION: AtomicU32 = AtomicU32::new(0);

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many times this process has forked since it first acquired a pidfile.
pub(crate) fn fork_count() -> u32 {
    FORKS.load(Ordering::Acquire)
}

impl ForkState {
    fn pid(&self) -> u32 {
        match self.pid.load(Ordering::Relaxed) {
            0 => std::process::id(),
            known => known,
        }
    }

    fn new_generation(&self) -> u32 {
        if !ptr::eq(self, &RESET_ON_FORK) {
            self.pid.store(std::process::id(), Ordering::Relaxed);
        }
        let next = LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.generation.compare_exchange(0, next, success, failure) {
            Ok(_) => next,
            Err(of_another_thread) => of_another_thread,
        }
    }
}

fn fork_state() -> &'static ForkState {
    FORK_STATE.get().unwrap_or_else(|| init_fork_state())
}

fn init_fork_state() -> &'static ForkState {
    // Two threads may both get here. Then forks count twice, and a page is left unused.
    register_fork_handlers();
    let state = wiped_on_fork().unwrap_or(&RESET_ON_FORK);
    match FORK_STATE.replace(None, state) {
        true => state,
        false => fork_state(),
    }
}

fn register_fork_handlers() {
    /// Before the fork, so that no child exists uncounted.
    extern "C" fn prepare() {
        FORKS.fetch_add(1, Ordering::AcqRel);
    }
    extern "C" fn in_child() {
        RESET_ON_FORK.generation.store(0, Ordering::Release);
    }
    // SAFETY: both functions live for ever and only change atomics. Without memory for them
    // (ENOMEM), the PID alone tells a child from its parent.
    unsafe { libc::pthread_atfork(Some(prepare), None, Some(in_child)) };
}

/// A page that the kernel fills with zeros in every child (`MADV_WIPEONFORK`, Linux 4.14), so that
/// a child made by a raw `clone(2)`, which runs no fork handlers, does not take itself for its
/// parent.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wiped_on_fork() -> Option<&'static ForkState> {
    let page = map(libc::MAP_PRIVATE).ok()?.cast::<libc::c_void>();
    // SAFETY: the page was mapped above, and no other code knows of it.
    let advise = |advice| unsafe { libc::madvise(page.as_ptr(), PAGE, advice) } == 0;
    // Emulators that accept an advice which does not exist ignore all of them.
    if advise(-1) || !advise(libc::MADV_WIPEONFORK) {
        return None;
    }
    // SAFETY: the page is mapped for ever, aligned, and all zeros, which is a valid `ForkState`.
    Some(unsafe { page.cast::<ForkState>().as_ref() })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wiped_on_fork() -> Option<&'static ForkState> {
    None
}

/// Enough for what is stored in it. The kernel rounds it up.
const PAGE: usize = size_of::<ForkState>();

/// Maps zeros that children share (`MAP_SHARED`) or get a copy of (`MAP_PRIVATE`).
fn map(sharing: libc::c_int) -> io::Result<NonNull<AtomicU32>> {
    let (access, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        sharing | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, access, flags, -1, 0) };
    match NonNull::new(page.cast()) {
        Some(word) if page != libc::MAP_FAILED => Ok(word),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A word that this process and the children that it forks see alike. 0 until it is set once.
#[derive(Debug)]
pub(crate) struct SharedWord(NonNull<AtomicU32>);

// SAFETY: the word is atomic, and the mapping belongs to no thread.
unsafe impl Send for SharedWord {}
// SAFETY: the word is atomic, and the mapping belongs to no thread.
unsafe impl Sync for SharedWord {}

impl SharedWord {
    pub(crate) fn new() -> io::Result<Self> {
        map(libc::MAP_SHARED).map(Self)
    }

    /// Sets the word, or returns what it was set to before.
    pub(crate) fn set_once(&self, value: u32) -> Result<(), u32> {
        // SAFETY: mapped in `new` until `drop`, aligned, and initialised with zeros.
        let word = unsafe { self.0.as_ref() };
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        word.compare_exchange(0, value, success, failure).map(drop)
    }
}

impl Drop for SharedWord {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this size, and no reference to it is left. Other processes
        // have mappings of their own.
        unsafe { libc::munmap(self.0.as_ptr().cast(), PAGE) };
    }
}

/// One value in each process. A forked child does not see that of its parent, whose mutex another
/// thread of the parent may have locked.
pub(crate) struct PerProcess<T: 'static>(AtomicRef<Owned<T>>);

struct Owned<T> {
    owner: ProcessInstance,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicRef::none())
    }

    /// The value of the calling process, if it has one yet. Async-signal-safe, and right in a `vfork`
    /// child.
    pub(crate) fn peek(&self) -> Option<&'static T> {
        let current = self.0.get().filter(|it| it.owner.is_current_uncached());
        current.map(|it| &it.value)
    }

    /// The value of `owner`, which is the calling process. A parent's value is never freed.
    pub(crate) fn get(&self, owner: ProcessInstance, new: fn() -> T) -> &'static T {
        let known = self.0.get();
        if let Some(known) = known.filter(|it| it.owner == owner) {
            return &known.value;
        }
        let value = new();
        let new = Box::leak(Box::new(Owned { owner, value }));
        match self.0.replace(known, new) {
            true => &new.value,
            // Another thread of this process was faster. The unused value is leaked.
            false => self.get(owner, || unreachable!("there is a value")),
        }
    }
}
