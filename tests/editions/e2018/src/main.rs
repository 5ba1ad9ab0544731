//! A `main` that can only print and exit.

#[pidlock_core::pidfile(path = std::env::args_os().nth(1).unwrap())]
fn main() {
    println!("ran");
}
