//! Prints a line: the base for the measurement of whole processes.

fn main() {
    println!("hello");
}
