//! Signals in the very middle of making or removing a pidfile: this program is asked before each of the
//! system calls that do it, and what happens in them is told on the command line.
//!
//! `signal_midway EVENT[+EVENT..] HOW PATH..`: acquires all paths but the last, then does HOW with
//! the last, or with what it holds. EVENT is `CALL:NTH:WHAT`: in the NTH CALL (`flock`, `pwrite`,
//! `unlink`) from then on, or from the event before on, WHAT happens:
//! `15`, `15,1`: signals, to the thread that makes the call; says `errno kept` after each;
//! `stack`: says whether it runs on the alternate stack;
//! `other`: another thread gets SIGHUP, and handles it to the end;
//! `exit`: another thread calls `exit` meanwhile, and the call is never made;
//! `exit_here`: this one does, as a handler might that has interrupted it;
//! `last`: another thread drops the first guard, as the very last thing that it does.
//! HOW: `acquire`, `reserve`, `commit`, `drop` (the last that it holds), `exit` (with static
//! guards), `15` (that signal).

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

    /// The call that unlink(3) makes. Newer architectures have `unlinkat` only.
    #[cfg(target_arch = "x86_64")]
    const UNLINK: c_long = libc::SYS_unlink;
    #[cfg(target_arch = "aarch64")]
    const UNLINK: c_long = libc::SYS_unlinkat;

    static HELD: Mutex<Vec<PidGuard>> = Mutex::new(Vec::new());

    /// Read by handlers: set once, before there is any.
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    /// The index of the one that is next.
    static NEXT: AtomicUsize = AtomicUsize::new(usize::MAX);

    struct Event {
        call: String,
        /// So many calls before it.
        countdown: AtomicU32,
        what: What,
    }

    enum What {
        Signals(Vec<c_int>),
        Stack,
        /// Another thread does something; it is told to begin, and tells when it is done.
        Other {
            finishes: bool,
        },
        ExitHere,
        /// Another thread drops a guard, and will wait for ever.
        Last,
    }

    /// Between the thread in the call and the other one. No channels: one of them is in a handler.
    static BEGIN: AtomicBool = AtomicBool::new(false);
    static DONE: AtomicBool = AtomicBool::new(false);

    /// The thread that drops a guard in the end, once it is about to.
    static LAST: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn main() {
        // SAFETY: sets this process's alarm clock (alarm(2)): whoever hangs is ended by it.
        #[allow(unsafe_code)]
        unsafe {
            libc::alarm(60)
        };
        for signal in [libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: the default again, whatever this was started with.
            #[allow(unsafe_code)]
            unsafe {
                libc::signal(signal, libc::SIG_DFL)
            };
        }
        let calls = [libc::SYS_flock, libc::SYS_pwrite64, UNLINK];
        seccomp::trap(&calls, in_its_place);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [events, how, paths @ ..] = &arguments[..] else {
            panic!("usage: signal_midway EVENT[+EVENT..] HOW PATH..");
        };
        let (last, held) = paths.split_last().expect("a path");
        let mut guards: Vec<_> = held
            .iter()
            .map(|path| PidFile::at(path).acquire().expect("a start"))
            .collect();
        let mut reserved = (how == "commit").then(|| PidFile::at(last).reserve().expect("a start"));
        let events: Vec<_> = events.split('+').map(parse).collect();
        if events.iter().any(|event| matches!(event.what, What::Last)) {
            HELD.lock().expect("no panic before").push(guards.remove(0));
        }
        assert!(EVENTS.set(events).is_ok());
        NEXT.store(0, Ordering::SeqCst);
        match how.as_str() {
            "acquire" => guards.push(PidFile::at(last).acquire().expect("a start")),
            "reserve" => reserved = Some(PidFile::at(last).reserve().expect("a start")),
            "commit" => {
                let reserved = reserved.take().expect("made above");
                guards.push(reserved.commit().expect("a start"));
            }
            "drop" => drop(guards.pop()),
            "exit" => {
                *HELD.lock().expect("no panic before") = guards;
                std::process::exit(7);
            }
            signal => raise(signal.parse().expect("a number")),
        }
        say("outlived it\n");
        drop(reserved);
    }

    fn parse(event: &str) -> Event {
        let parts: Vec<_> = event.split(':').collect();
        let [call, nth, what] = parts[..] else {
            panic!("no event: {event}");
        };
        let what = match what {
            "stack" => {
                use_alternate_stack();
                What::Stack
            }
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
                    .map(|signal| signal.parse().expect("a number"))
                    .collect(),
            ),
        };
        Event {
            call: call.to_owned(),
            countdown: AtomicU32::new(nth.parse().expect("a number")),
            what,
        }
    }

    fn other_thread(what: impl FnOnce() + Send + 'static) -> What {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            tell.send(()).expect("main waits");
            while !BEGIN.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            what();
            DONE.store(true, Ordering::SeqCst);
        });
        told.recv().expect("it is there");
        What::Other { finishes: true }
    }

    /// When this thread ends, after all that the standard library had for it is gone: in the last of
    /// the rounds in which the C library calls destructors.
    fn die_with_guard() {
        static KEY: AtomicU32 = AtomicU32::new(0);
        static ROUNDS_LEFT: AtomicU32 = AtomicU32::new(4);

        extern "C" fn destroy(_: *mut c_void) {
            if ROUNDS_LEFT.fetch_sub(1, Ordering::SeqCst) > 1 {
                return call_at_end();
            }
            let guard = HELD.lock().expect("no panic before").pop();
            // SAFETY: only asks.
            #[allow(unsafe_code)]
            let thread = unsafe { libc::gettid() };
            LAST.store(thread.unsigned_abs(), Ordering::SeqCst);
            drop(guard);
        }

        fn call_at_end() {
            // SAFETY: the key is there; nobody looks at what the value points to.
            #[allow(unsafe_code)]
            let answer = unsafe {
                libc::pthread_setspecific(KEY.load(Ordering::SeqCst), (&raw const KEY).cast())
            };
            assert_eq!(answer, 0, "a value");
        }

        let mut key = 0;
        // SAFETY: the key is written to a place of ours, and the function lives as long as the program.
        #[allow(unsafe_code)]
        let answer = unsafe { libc::pthread_key_create(&mut key, Some(destroy)) };
        assert_eq!(answer, 0, "a key");
        KEY.store(key, Ordering::SeqCst);
        call_at_end();
    }

    /// Until that thread waits for time to pass, or for another thread.
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

    /// Called in each of the calls, perhaps in a handler.
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
                // SAFETY: not a thing that a handler may do, but some do; the C library is in the
                // middle of nothing here.
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
        // SAFETY: the memory is never freed, and nobody else uses it.
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
        // SAFETY: only asks.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaltstack(std::ptr::null(), &mut stack)
        };
        stack.ss_flags & libc::SS_ONSTACK != 0
    }

    fn raise(signal: c_int) {
        // SAFETY: sends this thread a signal; its handler may run at any time.
        #[allow(unsafe_code)]
        unsafe {
            libc::raise(signal)
        };
    }

    fn set_errno(errno: c_int) {
        // SAFETY: the address of this thread's errno.
        #[allow(unsafe_code)]
        let place = unsafe { libc::__errno_location() };
        // SAFETY: as above, and no reference to it exists.
        #[allow(unsafe_code)]
        unsafe {
            *place = errno
        };
    }

    /// In one call, for handlers.
    fn say(line: &str) {
        // SAFETY: the text is there, and write is async-signal-safe.
        #[allow(unsafe_code)]
        unsafe {
            libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len())
        };
    }

    fn in_its_place(call: Call) -> c_long {
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
