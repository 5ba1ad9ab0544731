//! Acquires a pidfile in `main` and then becomes a daemon by a fork.
//!
//! `daemon HOW PATH`: the child prints `serving PID` and serves until its input ends. HOW says how
//! the parent ends:
//! - `exit`: calls `process::exit`
//! - `return`: returns from `main`
//! - `wait`: waits for a signal

use std::io::{Read, Write};
use std::thread;

use pidlock_core::pidfile;

#[pidfile(path = argument(2))]
fn main() {
    // SAFETY: this program has one thread, so the child can call any function.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => serve(),
        _ => match argument(1).as_str() {
            "exit" => std::process::exit(0),
            "return" => {}
            "wait" => loop {
                thread::park();
            },
            how => panic!("unknown end {how}"),
        },
    }
}

fn argument(number: usize) -> String {
    std::env::args()
        .nth(number)
        .expect("usage: daemon HOW PATH")
}

fn serve() {
    println!("serving {}", std::process::id());
    std::io::stdout().flush().expect("flush stdout");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
