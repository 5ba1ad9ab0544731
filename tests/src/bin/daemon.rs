//! Becomes a daemon by a fork after `main` has acquired the pidfile: `daemon HOW PATH`. The child
//! says `serving PID` and serves until its input ends. The parent ends as HOW says: `exit` by
//! `process::exit`, `return` by the return from `main`, `wait` by a signal.

use std::io::{Read, Write};
use std::thread;

use pidlock_core::pidfile;

#[pidfile(path = argument(2))]
fn main() {
    // SAFETY: this program has one thread, so the child can do whatever its parent can.
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
    std::env::args().nth(number).expect("an argument")
}

fn serve() {
    println!("serving {}", std::process::id());
    std::io::stdout().flush().expect("an output");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
