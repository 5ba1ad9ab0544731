//! Detects forks, so that a child never acts as its parent.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::sys::atomic_ref::AtomicRef;

/// One process: its PID and a generation.
///
/// The PID alone is ambiguous: the first process of a PID namespace can have the PID of its parent.
/// A child of `vfork(2)` shares the memory of its parent, so it passes for its parent here. Only a
/// signal handler can run in it before `exec`, and signal handlers use [`PerProcess::peek`], which
/// asks the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessInstance {
    pid: u32,
    generation: u32,
}

impl ProcessInstance {
    pub(crate) fn current() -> Self {
        let state = fork_state();
        let generation = match state.generation.load(Acquire) {
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
        state.generation.load(Acquire) == self.generation && state.pid() == self.pid
    }

    /// Like `is_current`, but also right in a `vfork` child, which only the kernel can tell from
    /// its parent.
    fn is_current_uncached(self) -> bool {
        self.pid == std::process::id() && self.is_current()
    }
}

/// The state that a fork resets: all fields are 0 in a new child.
struct ForkState {
    /// 0 until the process first calls `ProcessInstance::current`.
    generation: AtomicU32,
    /// Always 0 in `RESET_ON_FORK`, because a child could otherwise see the PID of its parent. If
    /// the field is 0, the kernel is asked each time.
    pid: AtomicU32,
}

/// Wiped by the kernel or reset by a fork handler: see [`init_fork_state`].
static FORK_STATE: AtomicRef<ForkState> = AtomicRef::none();

static RESET_ON_FORK: ForkState = ForkState {
    generation: AtomicU32::new(0),
    pid: AtomicU32::new(0),
};

/// The last generation that was given out. A fork copies it, so a child does not get the generation
/// of its parent.
static LAST_GENERATION: AtomicU32 = AtomicU32::new(0);

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many times this process has forked since it first acquired a pidfile.
pub(crate) fn fork_count() -> u32 {
    FORKS.load(Acquire)
}

impl ForkState {
    fn pid(&self) -> u32 {
        match self.pid.load(Relaxed) {
            0 => std::process::id(),
            known => known,
        }
    }

    fn new_generation(&self) -> u32 {
        if !ptr::eq(self, &RESET_ON_FORK) {
            self.pid.store(std::process::id(), Relaxed);
        }
        let next = LAST_GENERATION.fetch_add(1, Relaxed) + 1;
        let stored = self.generation.compare_exchange(0, next, AcqRel, Acquire);
        stored.map_or_else(|of_another_thread| of_another_thread, |_| next)
    }
}

fn fork_state() -> &'static ForkState {
    FORK_STATE.get().unwrap_or_else(|| init_fork_state())
}

fn init_fork_state() -> &'static ForkState {
    // Two threads may both get here. Then each fork adds 2 to the count, which is only compared for
    // equality, and one of the two mapped pages is never used.
    register_fork_handlers();
    let state = wiped_on_fork().unwrap_or(&RESET_ON_FORK);
    match FORK_STATE.replace(None, state) {
        true => state,
        false => fork_state(),
    }
}

fn register_fork_handlers() {
    /// Counts the fork before it happens, so that no child exists before it is counted.
    extern "C" fn prepare() {
        FORKS.fetch_add(1, AcqRel);
    }
    extern "C" fn in_child() {
        RESET_ON_FORK.generation.store(0, Release);
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

/// The length of a mapping. It is enough for a `ForkState` or a single word, and the kernel rounds
/// it up to a page.
const PAGE: usize = size_of::<ForkState>();

/// Maps zeros that children share (`MAP_SHARED`) or get a copy of (`MAP_PRIVATE`).
fn map(sharing: libc::c_int) -> io::Result<NonNull<AtomicU32>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = sharing | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, access, flags, -1, 0) };
    match NonNull::new(page.cast()) {
        Some(word) if page != libc::MAP_FAILED => Ok(word),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A word in memory that this process shares with the children that it forks. It is 0 until it is
/// set, and can be set only once.
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

    /// Sets the word. If it was set before, returns its value as the error.
    pub(crate) fn set_once(&self, value: u32) -> Result<(), u32> {
        let set = self.word().compare_exchange(0, value, AcqRel, Acquire);
        set.map(drop)
    }

    /// The value, once it is set.
    pub(crate) fn get(&self) -> Option<u32> {
        Some(self.word().load(Acquire)).filter(|&value| value != 0)
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: mapped in `new` until `drop`, aligned, and initialised with zeros.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedWord {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this size, and no reference to it is left. Other processes
        // have mappings of their own.
        unsafe { libc::munmap(self.0.as_ptr().cast(), PAGE) };
    }
}

/// One value in each process. A forked child does not use the value of its parent, because another
/// thread of the parent may have locked a mutex in it.
pub(crate) struct PerProcess<T: 'static>(AtomicRef<Owned<T>>);

struct Owned<T> {
    owner: ProcessInstance,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicRef::none())
    }

    /// The value of the calling process, if it has one yet. Async-signal-safe. In a `vfork` child
    /// it returns `None`.
    pub(crate) fn peek(&self) -> Option<&'static T> {
        let current = self.0.get().filter(|it| it.owner.is_current_uncached());
        current.map(|it| &it.value)
    }

    /// The value of `owner`, which must be the calling process. Creates the value if there is none.
    /// The value that a child inherits from its parent is never freed.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_one_process() {
        let process = ProcessInstance::current();
        assert!(process.is_current());
        assert_eq!(process.pid(), std::process::id());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(ProcessInstance::current(), process));
            }
        });
    }

    /// The answer of `f` in a forked child.
    fn in_child(f: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child uses atomics and allocates, which glibc allows after a fork, and leaves by
        // _exit.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", io::Error::last_os_error()),
            0 => {
                let answer = f();
                // SAFETY: ends the process; no code of the program runs after it.
                unsafe { libc::_exit(i32::from(!answer)) }
            }
            child => {
                let mut status = 0;
                // SAFETY: `status` is a valid int, and `child` is a child of this process.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                status == 0
            }
        }
    }

    #[test]
    fn forked_child_with_the_same_pid_is_another_process() {
        let parent = ProcessInstance::current();
        let forks = fork_count();
        assert!(in_child(|| {
            let same_pid = ProcessInstance {
                pid: std::process::id(),
                ..parent
            };
            let is_parent = parent.is_current() || same_pid.is_current();
            !is_parent && ProcessInstance::current().is_current()
        }));
        assert!(parent.is_current());
        assert!(fork_count() > forks, "the fork was not counted");
    }

    #[test]
    fn both_kinds_of_fork_state_are_zero_in_a_child() {
        for state in [wiped_on_fork(), Some(&RESET_ON_FORK)]
            .into_iter()
            .flatten()
        {
            fork_state();
            let generation = state.new_generation();
            assert!(in_child(|| {
                state.generation.load(Acquire) == 0 && state.pid() == std::process::id()
            }));
            assert_eq!(state.generation.load(Acquire), generation);
            assert_eq!(state.pid(), std::process::id());
        }
    }

    /// Makes every madvise(2) of this thread do nothing and succeed, as emulators do.
    #[cfg(target_os = "linux")]
    fn ignore_advice() {
        const fn instruction(code: u32, jf: u8, k: u32) -> libc::sock_filter {
            libc::sock_filter {
                code: code as u16,
                jt: 0,
                jf,
                k,
            }
        }
        let number = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let mut filter = [
            instruction(number, 0, 0),
            instruction(libc::BPF_JMP | libc::BPF_JEQ, 1, libc::SYS_madvise as u32),
            instruction(libc::BPF_RET, 0, libc::SECCOMP_RET_ERRNO),
            instruction(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_mut_ptr(),
        };
        let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
        let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
        // SAFETY: sets a flag of this thread, and takes numbers only.
        let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) };
        // SAFETY: the program is complete and outlives the call, which copies it.
        let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
        let error = std::io::Error::last_os_error();
        assert_eq!((alone, filtered), (0, 0), "{error}");
    }

    /// Returns `true` if the system fills a page with zeros in a child. Emulators do not.
    #[cfg(target_os = "linux")]
    fn system_wipes_on_fork() -> bool {
        let page = map(libc::MAP_PRIVATE).expect("map a page");
        // SAFETY: the page was mapped above, and no other code knows of it.
        unsafe { libc::madvise(page.as_ptr().cast(), PAGE, libc::MADV_WIPEONFORK) };
        // SAFETY: the page is mapped for ever, aligned, and all zeros.
        let word = unsafe { page.as_ref() };
        word.store(1, Release);
        in_child(|| word.load(Acquire) == 0)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn advice_that_is_ignored_is_not_relied_on() {
        use std::io::Write;
        if !system_wipes_on_fork() {
            // The test harness captures the output of `eprintln!`.
            let _ = writeln!(io::stderr(), "skipped: this system has no MADV_WIPEONFORK");
            assert!(wiped_on_fork().is_none());
            return;
        }
        assert!(in_child(|| {
            ignore_advice();
            wiped_on_fork().is_none()
        }));
        assert!(wiped_on_fork().is_some());
    }

    #[test]
    fn child_starts_with_a_value_of_its_own() {
        static VALUE: PerProcess<AtomicU32> = PerProcess::new();
        let value = || VALUE.get(ProcessInstance::current(), AtomicU32::default);
        value().store(5, Release);
        assert!(in_child(|| value().load(Acquire) == 0));
        assert_eq!(value().load(Acquire), 5);
    }
}
