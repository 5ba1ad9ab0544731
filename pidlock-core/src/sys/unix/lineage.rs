//! Which process this is, told so that no forked child takes itself for its parent.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::files::vary_marks;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::memory::{map, unmap};

/// This process as no other: its PID, and how many forks stand between it and the first process
/// of its line that asked. The PID alone is not enough, for the first process of a new PID
/// namespace may have its parent's number. Where both are kept in memory, a child that shares all
/// memory, by `vfork` or `clone(CLONE_VM)`, cannot be told from its parent; such a child may do no
/// more than call `exec` (vfork(2)), but signals come to it too, so a handler asks the kernel for the
/// PID. (One case escapes even that: a `vfork` child that is PID 1 of a new namespace, as its parent
/// is of its own.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThisProcess {
    pid: u32,
    generation: u32,
}

impl ThisProcess {
    /// Who asks.
    pub(crate) fn current() -> Self {
        let line = line();
        let generation = match line.generation.load(Ordering::Acquire) {
            0 => begin_generation(line),
            known => known,
        };
        Self {
            pid: line.pid(),
            generation,
        }
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// Whether the process that asks is still the one that was `current`. Stores nothing.
    pub(crate) fn is_current(self) -> bool {
        let line = line();
        line.generation.load(Ordering::Acquire) == self.generation && line.pid() == self.pid
    }

    /// The same for a signal handler, which may find itself in a `vfork` child: that shares all
    /// memory with its parent, so only the kernel can tell the two apart.
    fn is_current_by_kernel(self) -> bool {
        self.pid == std::process::id() && self.is_current()
    }
}

/// What a forked child must not take over from its parent.
struct Line {
    /// 0 in a child that has not asked yet.
    generation: AtomicU32,
    /// Known from the generation on, so that the kernel is asked once; 0 where a child may have come
    /// to be without our noticing.
    pid: AtomicU32,
}

impl Line {
    fn pid(&self) -> u32 {
        match self.pid.load(Ordering::Relaxed) {
            0 => std::process::id(),
            known => known,
        }
    }
}

static LINE: AtomicPtr<Line> = AtomicPtr::new(ptr::null_mut());

/// The last generation given out in this line. A fork copies it, so a child counts on.
static LAST: AtomicU32 = AtomicU32::new(0);

#[inline(never)] // once in each process
fn begin_generation(line: &Line) -> u32 {
    let pid = std::process::id();
    vary_marks(pid);
    if !ptr::eq(line, &raw const RESET_ON_FORK) {
        line.pid.store(pid, Ordering::Relaxed);
    }
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    // Whoever sees the generation sees the PID too.
    match (line.generation).compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => next,
        Err(other_thread) => other_thread,
    }
}

fn line() -> &'static Line {
    let line = LINE.load(Ordering::Acquire);
    // SAFETY: LINE is only ever null or a pointer that `begin_line` put there.
    unsafe { line.as_ref() }.unwrap_or_else(|| begin_line())
}

#[inline(never)] // once
fn begin_line() -> &'static Line {
    let fresh = wiped_on_fork().unwrap_or_else(reset_on_fork);
    let null = ptr::null_mut();
    let line = match LINE.compare_exchange(null, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        // Another thread was first. Ours is a page at most and happens once: left mapped.
        Err(first) => first,
    };
    // SAFETY: both come from `wiped_on_fork` or `reset_on_fork`: aligned, initialised, shared only
    // as atomics, and never freed.
    unsafe { &*line }
}

/// What madvise(2) has to refuse.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_ADVICE: libc::c_int = -1;

/// A page that the kernel hands to every child filled with zeros, also after a raw `clone` that
/// runs no handlers: `MADV_WIPEONFORK`, since Linux 4.14 (madvise(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wiped_on_fork() -> Option<*mut Line> {
    // SAFETY: zero bytes are a valid Line, and a page is aligned for it.
    let line = unsafe { map::<Line>(libc::MAP_PRIVATE) }.ok()?;
    // SAFETY: the mapping is a whole page of our own, which nobody else knows of, and no advice that
    // is followed or refused changes what it holds now.
    let advise =
        |advice| unsafe { libc::madvise(line.as_ptr().cast(), size_of::<Line>(), advice) == 0 };
    // Who takes even what is no advice takes all for hints, and wipes nothing, as old versions of QEMU
    // do for programs of other machines. A child would take itself for its parent.
    if advise(NO_ADVICE) || !advise(libc::MADV_WIPEONFORK) {
        // SAFETY: made above, and nobody else has heard of it.
        unsafe { unmap(line) };
        return None;
    }
    // Written to before it is read: a page that is only read is mapped twice.
    // SAFETY: as above.
    unsafe { line.as_ref() }.pid.store(0, Ordering::Relaxed);
    Some(line.as_ptr())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wiped_on_fork() -> Option<*mut Line> {
    None
}

static RESET_ON_FORK: Line = Line {
    generation: AtomicU32::new(0),
    pid: AtomicU32::new(0),
};

/// The next best: the same, reset in the child by a fork handler, which a raw `clone` does not run.
fn reset_on_fork() -> *mut Line {
    extern "C" fn in_child() {
        RESET_ON_FORK.generation.store(0, Ordering::Release);
    }
    // SAFETY: `in_child` is a function of this program, lives as long as it does, and only stores
    // to an atomic, which any child may do. Without memory for the handler (ENOMEM) the PID alone
    // tells a child from its parent.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    (&raw const RESET_ON_FORK).cast_mut()
}

/// How many times this process has forked, as far as it can know, since it first asked.
pub(crate) fn forks() -> u32 {
    static FORKS: AtomicU32 = AtomicU32::new(0);
    static COUNTED: AtomicBool = AtomicBool::new(false);

    extern "C" fn count() {
        FORKS.fetch_add(1, Ordering::Release);
    }
    // Two threads at once register twice, which only counts double; neither waits, for a child
    // could wait for ever for a thread that it does not have.
    if !COUNTED.load(Ordering::Acquire) {
        // SAFETY: `count` is a function of this program that only adds to an atomic. Before the
        // fork, so that a child is never there uncounted; a fork that fails counts too, which
        // only makes a reservation more careful.
        unsafe { libc::pthread_atfork(Some(count), None, None) };
        COUNTED.store(true, Ordering::Release);
    }
    FORKS.load(Ordering::Acquire)
}

/// One value per process: a forked child does not see its parent's, which may have been in the
/// middle of a change, its mutex locked by a thread that the child does not have.
pub(crate) struct PerProcess<T: 'static> {
    current: AtomicPtr<Owned<T>>,
    /// For the first process that asks, most often the only one: a program that does nothing else
    /// would ask for memory just for this.
    first: UnsafeCell<MaybeUninit<Owned<T>>>,
    first_is_taken: AtomicBool,
}

struct Owned<T> {
    owner: ThisProcess,
    value: T,
}

// SAFETY: `first` is only written to by who has taken it, and from then on only looked at, through
// `current`, as any thread may.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self {
            current: AtomicPtr::new(ptr::null_mut()),
            first: UnsafeCell::new(MaybeUninit::uninit()),
            first_is_taken: AtomicBool::new(false),
        }
    }

    /// The value of the process that asks, if it has one yet. Allocates nothing, stores nothing
    /// and waits for nobody, so that a signal handler may ask.
    pub(crate) fn peek(&'static self) -> Option<&'static T> {
        // SAFETY: as in `get`.
        let known = unsafe { self.current.load(Ordering::Acquire).as_ref() }?;
        known.owner.is_current_by_kernel().then_some(&known.value)
    }

    /// The value of process `me`, made when it first asks. A parent's value stays where it is,
    /// unreachable and never touched.
    #[inline]
    pub(crate) fn get(&'static self, me: ThisProcess, new: impl FnOnce() -> T) -> &'static T {
        let known = self.current.load(Ordering::Acquire);
        // SAFETY: `current` is only ever null or a pointer that `put` stored, to what is never freed.
        match unsafe { known.as_ref() } {
            Some(known) if known.owner == me => &known.value,
            _ => self.put(me, known, new()),
        }
    }

    #[inline(never)] // once in each process
    fn put(&'static self, me: ThisProcess, mut known: *mut Owned<T>, new: T) -> &'static T {
        let fresh = self.place(Owned {
            owner: me,
            value: new,
        });
        while let Err(other) =
            self.current
                .compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire)
        {
            known = other;
            // SAFETY: as in `get`.
            if let Some(made) = unsafe { other.as_ref() }.filter(|made| made.owner == me) {
                // Another thread was first.
                if !ptr::eq(fresh, self.first.get().cast()) {
                    // SAFETY: `place` took it from a Box, and it was not stored anywhere.
                    drop(unsafe { Box::from_raw(fresh) });
                }
                return &made.value;
            }
        }
        // SAFETY: stored, so it is never freed, and all that is shared of it is Sync.
        unsafe { &(*fresh).value }
    }

    fn place(&'static self, fresh: Owned<T>) -> *mut Owned<T> {
        if self.first_is_taken.swap(true, Ordering::Relaxed) {
            return Box::into_raw(Box::new(fresh));
        }
        let place = self.first.get().cast::<Owned<T>>();
        // SAFETY: nobody else has taken it, or ever will, and there was nothing in it.
        unsafe { place.write(fresh) };
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_process_stays_the_same() {
        let me = ThisProcess::current();
        assert!(me.is_current());
        assert_eq!(me, ThisProcess::current());
        assert_eq!(me.pid(), std::process::id());
    }

    #[test]
    fn threads_agree() {
        let me = ThisProcess::current();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(ThisProcess::current(), me));
            }
        });
    }

    #[test]
    fn another_generation_with_the_same_pid_is_another_process() {
        let me = ThisProcess::current();
        assert!(
            !ThisProcess {
                generation: me.generation + 1,
                ..me
            }
            .is_current()
        );
    }

    /// What `f` answers in a forked child.
    fn in_child(f: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child only loads and stores atomics and allocates, which glibc allows after
        // a fork, and leaves by _exit.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                let answer = f();
                // SAFETY: ends the child at once, running nothing of this program's.
                unsafe { libc::_exit(i32::from(!answer)) }
            }
            child => {
                let mut status = 0;
                // SAFETY: `status` is a valid int, and `child` is ours to wait for.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                status == 0
            }
        }
    }

    #[test]
    fn a_forked_child_is_another_even_if_it_had_the_same_number() {
        let me = ThisProcess::current();
        assert!(in_child(|| {
            let same_number = ThisProcess {
                pid: std::process::id(),
                ..me
            };
            !me.is_current() && !same_number.is_current() && ThisProcess::current().is_current()
        }));
        assert!(me.is_current());
    }

    #[test]
    fn every_word_for_a_fork_is_zero_in_the_child() {
        for make in [wiped_on_fork, || Some(reset_on_fork())] {
            let Some(line) = make() else { continue };
            // SAFETY: as in `line`: valid atomics that are never freed.
            let line = unsafe { &*line };
            let generation = begin_generation(line);
            assert!(in_child(|| {
                let is_new = line.generation.load(Ordering::Acquire) == 0;
                is_new && line.pid() == std::process::id()
            }));
            assert_eq!(line.generation.load(Ordering::Acquire), generation);
            assert_eq!(line.pid(), std::process::id());
        }
    }

    /// Has every madvise(2) of this thread do nothing and succeed.
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_wipe_that_is_not_done_is_not_relied_on() {
        assert!(in_child(|| {
            ignore_advice();
            wiped_on_fork().is_none()
        }));
        assert!(wiped_on_fork().is_some());
    }

    #[test]
    fn a_child_starts_with_a_value_of_its_own() {
        static VALUE: PerProcess<AtomicU32> = PerProcess::new();
        let value = || VALUE.get(ThisProcess::current(), AtomicU32::default);
        value().store(5, Ordering::Release);
        assert!(in_child(|| value().load(Ordering::Acquire) == 0));
        assert_eq!(value().load(Ordering::Acquire), 5);
    }
}
