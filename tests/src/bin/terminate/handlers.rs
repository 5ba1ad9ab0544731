//! Programs that handle signals, in the ways in which programs do.
//!
//! KIND: `tokio`, `signal-hook`, `ctrlc`, `sigaction`, `sigwait`: gracefully, by telling the program;
//! `notes`: says `noted`, and lets the program go on; `exits`, `_exits`: ends it at once, with 7;
//! `chains`: calls the handler that was there before, and expects it to end the program;
//! `restores`: puts that one back, and sends the signal again;
//! `tries-ctrlc`: a graceful one, if nobody has one yet; says `tried: ANSWER`;
//! `emulates`: signal-hook's way to have the default effect after all.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;
use std::task::Poll;

use libc::c_int;

use super::os::{self, SIGHUP, SIGINT, SIGTERM};
use super::say;

pub(crate) const SIGNALS: [c_int; 3] = [SIGTERM, SIGINT, SIGHUP];

/// Waits until the program has been told to end.
pub(crate) type Handler = Box<dyn FnOnce()>;

pub(crate) fn install(kind: &str) -> Handler {
    match kind {
        "tokio" => tokio(),
        "signal-hook" => {
            let mut signals = signal_hook::iterator::Signals::new(SIGNALS).expect("handlers");
            Box::new(move || {
                let _ = signals.forever().next();
            })
        }
        "ctrlc" => {
            let (tell, told) = mpsc::channel();
            ctrlc::set_handler(move || tell.send(()).expect("somebody waits")).expect("handlers");
            Box::new(move || told.recv().expect("a signal"))
        }
        "tries-ctrlc" => {
            let (tell, told) = mpsc::channel();
            let answer = ctrlc::try_set_handler(move || tell.send(()).expect("somebody waits"));
            say(&format!("tried: {answer:?}"));
            match answer {
                Ok(()) => Box::new(move || told.recv().expect("a signal")),
                Err(_) => Box::new(super::wait_for_end_of_input),
            }
        }
        "sigaction" => sigaction(),
        "sigwait" => sigwait(),
        "emulates" => {
            let mut signals = signal_hook::iterator::Signals::new(SIGNALS).expect("handlers");
            Box::new(move || {
                for signal in signals.forever() {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            })
        }
        "notes" => simple(notes),
        "exits" => simple(exits),
        "_exits" => simple(ends_at_once),
        "chains" => simple(chains),
        "restores" => simple(restores),
        _ => panic!("unknown handler {kind}"),
    }
}

fn tokio() -> Handler {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let mut streams = {
        let _inside = runtime.enter();
        SIGNALS.map(|number| signal(SignalKind::from_raw(number)).expect("a stream"))
    };
    Box::new(move || {
        runtime.block_on(poll_fn(|context| {
            let told = streams
                .iter_mut()
                .any(|stream| stream.poll_recv(context).is_ready());
            if told { Poll::Ready(()) } else { Poll::Pending }
        }));
    })
}

/// The other end of a pipe, as handlers have it.
static TELL: AtomicI32 = AtomicI32::new(-1);

fn sigaction() -> Handler {
    let (mut told, tell) = std::os::unix::net::UnixStream::pair().expect("a pair");
    TELL.store(std::os::fd::IntoRawFd::into_raw_fd(tell), Ordering::Relaxed);
    let _ = simple(tells);
    Box::new(move || {
        std::io::Read::read_exact(&mut told, &mut [0]).expect("a signal");
    })
}

extern "C" fn tells(_: c_int) {
    write(TELL.load(Ordering::Relaxed), b"s");
}

/// Without a handler: blocked, and fetched.
fn sigwait() -> Handler {
    let mut set = MaybeUninit::uninit();
    // SAFETY: makes a whole set of what it is given.
    #[allow(unsafe_code)]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr())
    };
    for signal in SIGNALS {
        // SAFETY: the set was made above, and the number is a signal's.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaddset(set.as_mut_ptr(), signal)
        };
    }
    // SAFETY: made above.
    #[allow(unsafe_code)]
    let set: libc::sigset_t = unsafe { set.assume_init() };
    // SAFETY: a whole set, and the old one is not asked for.
    #[allow(unsafe_code)]
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut())
    };
    Box::new(move || {
        let mut signal = 0;
        // SAFETY: a whole set, and a place for a number.
        #[allow(unsafe_code)]
        let answer = unsafe { libc::sigwait(&set, &mut signal) };
        assert_eq!(answer, 0);
    })
}

/// For handlers that do everything themselves.
fn simple(handler: extern "C" fn(c_int)) -> Handler {
    for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS) {
        let old = os::handle(signal, handler as libc::sighandler_t);
        assert!(previous.set(old).is_ok(), "handlers are installed once");
    }
    Box::new(super::wait_for_end_of_input)
}

static PREVIOUS: [OnceLock<libc::sigaction>; 3] = [const { OnceLock::new() }; 3];

fn previous(signal: c_int) -> Option<&'static libc::sigaction> {
    let index = SIGNALS.iter().position(|&known| known == signal)?;
    PREVIOUS[index].get()
}

extern "C" fn notes(_: c_int) {
    write(libc::STDOUT_FILENO, b"noted\n");
}

extern "C" fn exits(_: c_int) {
    // SAFETY: not a thing that a handler may do, but some do; here the program is just waiting
    // for its input, so nothing is in the middle of anything.
    #[allow(unsafe_code)]
    unsafe {
        libc::exit(7)
    }
}

extern "C" fn ends_at_once(_: c_int) {
    os::end_at_once(7)
}

extern "C" fn chains(signal: c_int) {
    if let Some(previous) = previous(signal).filter(|old| old.sa_sigaction > libc::SIG_IGN) {
        // SAFETY: it is neither SIG_DFL nor SIG_IGN, so it is a handler; the one that is tested
        // here takes the signal's number only.
        #[allow(unsafe_code)]
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(previous.sa_sigaction) };
        handler(signal);
    }
    write(libc::STDOUT_FILENO, b"returned\n");
}

extern "C" fn restores(signal: c_int) {
    if let Some(previous) = previous(signal) {
        let mut old = MaybeUninit::uninit();
        // SAFETY: sigaction may be called from a handler, and both are valid.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaction(signal, previous, old.as_mut_ptr())
        };
    }
    os::raise(signal);
}

/// For handlers.
fn write(descriptor: c_int, text: &[u8]) {
    // SAFETY: the text is there, and write is async-signal-safe.
    #[allow(unsafe_code)]
    unsafe {
        libc::write(descriptor, text.as_ptr().cast(), text.len())
    };
}
