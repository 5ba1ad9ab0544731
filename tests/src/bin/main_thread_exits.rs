//! Holds a pidfile while its main thread has ended and another one runs on: the process is shown as
//! a zombie, and is none.
//!
//! `main_thread_exits PATH` says `held`, or `refused`, and lives until its input ends.

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
    // SAFETY: ends this thread alone, with nothing of it in use by others: `main` has returned from
    // all that it called, and the new thread owns what it was given.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_exit, 0)
    };
}
