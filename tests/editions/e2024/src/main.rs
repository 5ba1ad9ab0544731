//! A `main` with an opaque return type, and a function that exits the process if it is refused.

use std::process::Termination;

use pidlock_core::pidfile;

#[pidfile(path = std::env::args_os().nth(1).unwrap())]
fn main() -> impl Termination {
    if let Some(path) = std::env::args().nth(2) {
        println!("{}", work(&path));
    }
    println!("ran");
}

#[pidfile(path = path, on_error = pidlock_core::on_error::exit)]
fn work(path: &str) -> u8 {
    7
}
