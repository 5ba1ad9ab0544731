//! The same with our attribute: `annotated PATH`.

use pidlock_core::pidfile;

#[pidfile(path = std::env::args_os().nth(1).expect("a path"))]
fn main() {
    println!("hello");
}
