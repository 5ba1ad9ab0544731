//! The same with the floor around its main: `floored PATH`.

use std::path::PathBuf;

use pidlock_benches::floor::{Start, SystemPath, acquire};

fn main() {
    let path = PathBuf::from(std::env::args_os().nth(1).expect("a path"));
    let path = SystemPath::new(&path);
    let Ok(Start::Held(held)) = acquire(path.get()) else {
        panic!("not free");
    };
    println!("hello");
    held.release().expect("it is ours to remove");
}
