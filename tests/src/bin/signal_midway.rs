//! Delivers signals inside the system calls that create or remove a pidfile. The program intercepts
//! these calls, and its arguments say what happens inside them.
//!
//! `signal_midway EVENT[+EVENT..] HOW PATH..` acquires all paths but the last one. Then it does HOW
//! with the last path, or with the pidfiles that it holds.
//!
//! EVENT is `CALL:NTH:WHAT`: inside the NTH call of CALL (`flock`, `pwrite` or `unlink`), WHAT
//! happens. Calls count from the start of HOW, or from the previous event. WHAT is
//! - `15`, `15,1`: the calling thread gets these signals; after each one, the program prints
//!   `errno kept` or `errno lost`
//! - `stack`: the program prints whether the call runs on the alternate signal stack
//! - `other`: another thread gets SIGHUP, and its handler returns
//! - `exit`: another thread calls `exit`, and the intercepted call never returns
//! - `exit_here`: the calling thread calls `exit`, as a handler that interrupts the call can
//! - `last`: another thread drops the first guard as the last thing before it exits
//!
//! HOW is
//! - `acquire`, `reserve`, `commit`: does this with the last path
//! - `drop`: drops the guard that was acquired last
//! - `exit`: exits with the guards in a static
//! - `15`: raises this signal

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux {
    use std::ffi::{c_int, c_long, c_void};
    use std::io::Error;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
    use std::sync::{OnceLock, mpsc};
    use std::thread;

    use pidlock_core::{PidFile, PidGuard};
    use pidlock_tests::seccomp::{self, Call};

    /// The system call that unlink(3) makes. Newer architectures have only `unlinkat`.
    #[cfg(target_arch = "x86_64")]
    const UNLINK: c_long = libc::SYS_unlink;
    #[cfg(target_arch = "aarch64")]
    const UNLINK: c_long = libc::SYS_unlinkat;

    static HELD: Mutex<Vec<PidGuard>> = Mutex::new(Vec::new());

    /// The events. Set once, before a signal handler can read them.
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    /// The index of the next event.
    static NEXT: AtomicUsize = AtomicUsize::new(usize::MAX);

    struct Event {
        call: String,
        /// The number of calls until the event, which happens inside the last of them.
        countdown: AtomicU32,
        what: What,
    }

    enum What {
        Signals(Vec<c_int>),
        Stack,
        /// Another thread acts after `BEGIN`. If it `finishes`, the call waits for `DONE`, and
        /// otherwise for ever.
        Other {
            finishes: bool,
        },
        ExitHere,
        /// Another thread drops a guard as it exits, and this drop never returns.
        Last,
    }

    /// Set to let the other thread act. Not a channel, because a signal handler sets it.
    static BEGIN: AtomicBool = AtomicBool::new(false);
    /// Set when the other thread has acted. Not a channel, because a signal handler reads it.
    static DONE: AtomicBool = AtomicBool::new(false);

    /// The ID of the thread that drops a guard as it exits; 0 until it is about to do so.
    static LAST: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn main() {
        // Ends a process that hangs.
        // SAFETY: alarm(2) takes an integer, and nothing else in this program uses the alarm clock.
        #[allow(unsafe_code)]
        unsafe {
            libc::alarm(60)
        };
        for signal in [libc::SIGTERM, libc::SIGHUP] {
            // The parent may have ignored the signal.
            // SAFETY: `SIG_DFL` runs no code of this program.
            #[allow(unsafe_code)]
            unsafe {
                libc::signal(signal, libc::SIG_DFL)
            };
        }
        let calls = [libc::SYS_flock, libc::SYS_pwrite64, UNLINK];
        // The standard library's alternate stack is too small for a signal handler that a trap
        // interrupts: where the kernel saves large registers, each of the two takes almost half of
        // it.
        use_alternate_stack();
        seccomp::trap(&calls, intercept);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [events, how, paths @ ..] = &arguments[..] else {
            panic!("usage: signal_midway EVENT[+EVENT..] HOW PATH..");
        };
        let (last, held) = paths.split_last().expect("the arguments contain a path");
        let mut guards: Vec<_> = held
            .iter()
            .map(|path| PidFile::at(path).acquire().expect("acquire a pidfile"))
            .collect();
        let mut reserved =
            (how == "commit").then(|| PidFile::at(last).reserve().expect("reserve the last path"));
        let events: Vec<_> = events.split('+').map(parse).collect();
        if events.iter().any(|event| matches!(event.what, What::Last)) {
            HELD.lock()
                .expect("the mutex is not poisoned")
                .push(guards.remove(0));
        }
        assert!(EVENTS.set(events).is_ok());
        NEXT.store(0, Ordering::SeqCst);
        match how.as_str() {
            "acquire" => guards.push(PidFile::at(last).acquire().expect("acquire the last path")),
            "reserve" => {
                reserved = Some(PidFile::at(last).reserve().expect("reserve the last path"))
            }
            "commit" => {
                let reserved = reserved.take().expect("the code above reserves for commit");
                guards.push(reserved.commit().expect("commit the reservation"));
            }
            "drop" => drop(guards.pop()),
            "exit" => {
                *HELD.lock().expect("the mutex is not poisoned") = guards;
                std::process::exit(7);
            }
            signal => raise(signal.parse().expect("parse the signal of HOW")),
        }
        say("outlived it\n");
        drop(reserved);
    }

    fn parse(event: &str) -> Event {
        let parts: Vec<_> = event.split(':').collect();
        let [call, nth, what] = parts[..] else {
            panic!("invalid event {event}");
        };
        let what = match what {
            "stack" => What::Stack,
            "other" => other_thread(|| raise(libc::SIGHUP)),
            "exit" => {
                let _ = other_thread(|| std::process::exit(7));
                What::Other { finishes: false }
            }
            "exit_here" => What::ExitHere,
            "last" => {
                let _ = other_thread(die_with_guard);
                What::Last
            }
            signals => What::Signals(
                signals
                    .split(',')
                    .map(|signal| signal.parse().expect("parse the signal of an event"))
                    .collect(),
            ),
        };
        Event {
            call: call.to_owned(),
            countdown: AtomicU32::new(nth.parse().expect("parse NTH")),
            what,
        }
    }

    fn other_thread(what: impl FnOnce() + Send + 'static) -> What {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            use_alternate_stack();
            tell.send(()).expect("the main thread waits");
            while !BEGIN.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            what();
            DONE.store(true, Ordering::SeqCst);
        });
        told.recv().expect("wait for the thread");
        What::Other { finishes: true }
    }

    /// Drops a guard when this thread exits. The drop happens in the last of the rounds in which
    /// the C library calls destructors. By then, the standard library has destroyed its
    /// thread-locals.
    fn die_with_guard() {
        static KEY: AtomicU32 = AtomicU32::new(0);
        static ROUNDS_LEFT: AtomicU32 = AtomicU32::new(4);

        extern "C" fn destroy(_: *mut c_void) {
            if ROUNDS_LEFT.fetch_sub(1, Ordering::SeqCst) > 1 {
                return call_at_end();
            }
            let guard = HELD.lock().expect("the mutex is not poisoned").pop();
            // SAFETY: gettid(2) has no preconditions.
            #[allow(unsafe_code)]
            let thread = unsafe { libc::gettid() };
            LAST.store(thread.unsigned_abs(), Ordering::SeqCst);
            drop(guard);
        }

        fn call_at_end() {
            // SAFETY: `KEY` was created before the first call, and the value is never dereferenced.
            #[allow(unsafe_code)]
            let answer = unsafe {
                libc::pthread_setspecific(KEY.load(Ordering::SeqCst), (&raw const KEY).cast())
            };
            assert_eq!(answer, 0, "set the value of the key");
        }

        let mut key = 0;
        // SAFETY: `key` is valid for writes, and `destroy` lives as long as the program.
        #[allow(unsafe_code)]
        let answer = unsafe { libc::pthread_key_create(&mut key, Some(destroy)) };
        assert_eq!(answer, 0, "create a key");
        KEY.store(key, Ordering::SeqCst);
        call_at_end();
    }

    /// Waits until the thread in `LAST` sleeps or waits for another thread.
    fn wait_until_it_waits() {
        let waits = |call: &str| {
            let calls = [
                libc::SYS_clock_nanosleep,
                libc::SYS_nanosleep,
                libc::SYS_futex,
            ];
            calls.iter().any(|number| call == number.to_string())
        };
        loop {
            let thread = LAST.load(Ordering::SeqCst);
            let call = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall"));
            if thread != 0 && call.is_ok_and(|call| call.split(' ').next().is_some_and(waits)) {
                return;
            }
            thread::yield_now();
        }
    }

    /// Called inside every intercepted call, which a signal handler can make too.
    fn happens(call: &str) {
        let next = NEXT.load(Ordering::SeqCst);
        let event = EVENTS.get().and_then(|events| events.get(next));
        let Some(event) = event.filter(|event| event.call == call) else {
            return;
        };
        if event.countdown.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        NEXT.store(next + 1, Ordering::SeqCst);
        match &event.what {
            What::Signals(signals) => {
                for &signal in signals {
                    set_errno(77);
                    raise(signal);
                    let kept = Error::last_os_error().raw_os_error() == Some(77);
                    say(if kept { "errno kept\n" } else { "errno lost\n" });
                }
            }
            What::Stack => say(match is_on_alternate_stack() {
                true => "on the alternate stack\n",
                false => "on the ordinary stack\n",
            }),
            What::Other { finishes } => {
                BEGIN.store(true, Ordering::SeqCst);
                while !finishes || !DONE.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            }
            What::Last => {
                BEGIN.store(true, Ordering::SeqCst);
                wait_until_it_waits();
            }
            What::ExitHere => {
                // SAFETY: `exit` is not async-signal-safe, but some handlers call it. The
                // interrupted code holds no lock of the C library.
                #[allow(unsafe_code)]
                unsafe {
                    libc::exit(7)
                }
            }
        }
    }

    fn use_alternate_stack() {
        let memory = Box::leak(vec![0_u8; 1 << 16].into_boxed_slice());
        let stack = libc::stack_t {
            ss_sp: memory.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: memory.len(),
        };
        // SAFETY: the memory is leaked and so stays valid, and nothing else uses it.
        #[allow(unsafe_code)]
        let answer = unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) };
        assert_eq!(answer, 0, "{}", Error::last_os_error());
    }

    fn is_on_alternate_stack() -> bool {
        let mut stack = libc::stack_t {
            ss_sp: std::ptr::null_mut(),
            ss_flags: 0,
            ss_size: 0,
        };
        // SAFETY: `stack` is valid for writes, and a null pointer changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaltstack(std::ptr::null(), &mut stack)
        };
        stack.ss_flags & libc::SS_ONSTACK != 0
    }

    fn raise(signal: c_int) {
        // SAFETY: raise(3) takes an integer. The handler of the signal can run at any point of this
        // program.
        #[allow(unsafe_code)]
        unsafe {
            libc::raise(signal)
        };
    }

    fn set_errno(errno: c_int) {
        // SAFETY: this function has no preconditions.
        #[allow(unsafe_code)]
        let place = unsafe { libc::__errno_location() };
        // SAFETY: the pointer is that of this thread's errno, and no reference to it exists.
        #[allow(unsafe_code)]
        unsafe {
            *place = errno
        };
    }

    /// Prints in a single system call. Signal handlers can call this function.
    fn say(line: &str) {
        // SAFETY: the pointer and the length are those of `line`, and `write` is async-signal-safe.
        #[allow(unsafe_code)]
        unsafe {
            libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len())
        };
    }

    fn intercept(call: Call) -> c_long {
        match call.number {
            libc::SYS_flock => {
                let answer = call.make();
                happens("flock");
                answer
            }
            libc::SYS_pwrite64 => {
                happens("pwrite");
                call.make()
            }
            _ => {
                happens("unlink");
                call.make()
            }
        }
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn main() {
    linux::main();
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn main() {}
