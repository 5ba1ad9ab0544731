//! `floored PATH` prints a line while it holds the file as the floor does.

use std::path::PathBuf;

use pidlock_benches::floor::{Start, SystemPath, acquire};

fn main() {
    let path = PathBuf::from(std::env::args_os().nth(1).expect("get the path argument"));
    let path = SystemPath::new(&path);
    let Ok(Start::Held(held)) = acquire(path.get()) else {
        panic!("cannot acquire");
    };
    println!("hello");
    held.release().expect("release the file");
}
