//! A `main` that never returns.

#[pidlock_core::pidfile(path = std::env::args_os().nth(1).unwrap())]
fn main() -> ! {
    println!("ran");
    std::process::exit(0)
}
