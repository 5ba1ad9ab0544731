//! A `main` without a return type.

#[pidlock_core::pidfile(path = std::env::args_os().nth(1).unwrap())]
fn main() {
    println!("ran");
}
