//! Holds a pidfile in a second thread after the main thread has exited. `/proc` then shows the
//! process as a zombie although it runs.
//!
//! `main_thread_exits PATH` prints `held` or `refused`, and runs until its input ends.

use std::io::{Read, Write};
use std::thread;

use pidlock_core::PidFile;

fn main() {
    let path = std::env::args_os()
        .nth(1)
        .expect("usage: main_thread_exits PATH");
    thread::spawn(move || {
        let guard = PidFile::at(path).acquire();
        let said = if guard.is_ok() { "held" } else { "refused" };
        let _ = writeln!(std::io::stdout(), "{said}");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(guard);
        std::process::exit(0);
    });
    // SAFETY: exits only the main thread. Nothing on its stack is in use: the new thread owns all
    // its captures, and `main` does nothing after this call.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_exit, 0)
    };
}
