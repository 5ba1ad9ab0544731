//! `annotated PATH` prints a line in a `main` with the attribute `#[pidfile]`.

use pidlock_core::pidfile;

#[pidfile(path = std::env::args_os().nth(1).expect("get the path argument"))]
fn main() {
    println!("hello");
}
