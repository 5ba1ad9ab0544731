//! Signal handlers of the kinds that programs install.
//!
//! KIND is
//! - `tokio`, `signal-hook`, `ctrlc`, `sigaction`, `sigwait`: notifies the program, which then
//!   shuts down gracefully
//! - `tries-ctrlc`: notifies the program, if the signal has no handler yet; prints `tried: ANSWER`
//! - `notes`: prints `noted` and returns
//! - `exits`, `_exits`: exits with 7 inside the handler
//! - `chains`: calls the previous handler, and prints `returned` if that returns
//! - `restores`: restores the previous handler and raises the signal again
//! - `emulates`: calls `emulate_default_handler` of signal-hook

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

/// Waits until the signal handler notifies the program, or until the input ends if the handler
/// never does so.
pub(crate) type Handler = Box<dyn FnOnce()>;

pub(crate) fn install(kind: &str) -> Handler {
    match kind {
        "tokio" => tokio(),
        "signal-hook" => {
            let mut signals =
                signal_hook::iterator::Signals::new(SIGNALS).expect("install the handlers");
            Box::new(move || {
                let _ = signals.forever().next();
            })
        }
        "ctrlc" => {
            let (tell, told) = mpsc::channel();
            ctrlc::set_handler(move || tell.send(()).expect("the program waits"))
                .expect("install the handlers");
            Box::new(move || told.recv().expect("wait for a signal"))
        }
        "tries-ctrlc" => {
            let (tell, told) = mpsc::channel();
            let answer = ctrlc::try_set_handler(move || tell.send(()).expect("the program waits"));
            say(&format!("tried: {answer:?}"));
            match answer {
                Ok(()) => Box::new(move || told.recv().expect("wait for a signal")),
                Err(_) => Box::new(super::wait_for_end_of_input),
            }
        }
        "sigaction" => sigaction(),
        "sigwait" => sigwait(),
        "emulates" => {
            let mut signals =
                signal_hook::iterator::Signals::new(SIGNALS).expect("install the handlers");
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
        .expect("create a runtime");
    let mut streams = {
        let _inside = runtime.enter();
        SIGNALS
            .map(|number| signal(SignalKind::from_raw(number)).expect("create a stream of signals"))
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

/// The end of a socket pair that the handler writes to.
static TELL: AtomicI32 = AtomicI32::new(-1);

fn sigaction() -> Handler {
    let (mut told, tell) = std::os::unix::net::UnixStream::pair().expect("create a socket pair");
    TELL.store(std::os::fd::IntoRawFd::into_raw_fd(tell), Ordering::Relaxed);
    let _ = simple(tells);
    Box::new(move || {
        std::io::Read::read_exact(&mut told, &mut [0]).expect("wait for a signal");
    })
}

extern "C" fn tells(_: c_int) {
    write(TELL.load(Ordering::Relaxed), b"s");
}

/// Blocks the signals and waits for one with sigwait(3). Installs no handler.
fn sigwait() -> Handler {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is valid for writes.
    #[allow(unsafe_code)]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr())
    };
    for signal in SIGNALS {
        // SAFETY: `sigemptyset` above has initialised `set`.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaddset(set.as_mut_ptr(), signal)
        };
    }
    // SAFETY: `sigemptyset` above has initialised `set`.
    #[allow(unsafe_code)]
    let set: libc::sigset_t = unsafe { set.assume_init() };
    // SAFETY: `set` is initialised, and a null pointer discards the old mask.
    #[allow(unsafe_code)]
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut())
    };
    Box::new(move || {
        let mut signal = 0;
        // SAFETY: `set` is initialised, and `signal` is valid for writes.
        #[allow(unsafe_code)]
        let answer = unsafe { libc::sigwait(&set, &mut signal) };
        assert_eq!(answer, 0);
    })
}

/// Installs the same handler for all three signals. Returns a function that waits for the end of
/// the input.
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
    // SAFETY: `exit` is not async-signal-safe, but some handlers call it. Here the program only
    // waits for its input, so it holds no lock of the C library.
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
        // SAFETY: the value is neither SIG_DFL nor SIG_IGN, so it is a handler. The handler under
        // test takes only the signal number.
        #[allow(unsafe_code)]
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(previous.sa_sigaction) };
        handler(signal);
    }
    write(libc::STDOUT_FILENO, b"returned\n");
}

extern "C" fn restores(signal: c_int) {
    if let Some(previous) = previous(signal) {
        let mut old = MaybeUninit::uninit();
        // SAFETY: sigaction(2) is async-signal-safe, `previous` is valid for reads and `old` for
        // writes.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaction(signal, previous, old.as_mut_ptr())
        };
    }
    os::raise(signal);
}

/// Writes without a buffer. Signal handlers can call this function.
fn write(descriptor: c_int, text: &[u8]) {
    // SAFETY: the pointer and the length are those of `text`, and `write` is async-signal-safe.
    #[allow(unsafe_code)]
    unsafe {
        libc::write(descriptor, text.as_ptr().cast(), text.len())
    };
}
