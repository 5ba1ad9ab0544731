//! A program that does as little as possible: the base for whole processes.

fn main() {
    println!("hello");
}
