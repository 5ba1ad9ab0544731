//! Measures everybody in turns and prints the tables of README.

use pidlock_benches::comparison::{compare, count_calls};
use pidlock_benches::operation::Operation;
use pidlock_benches::place::{self, Place};
use pidlock_benches::{python, report};

/// Enough for medians that stay within some percent on a busy machine.
const ROUNDS: usize = 300;

fn main() {
    let interpreter = python::interpreter(&place::target());
    let kernel = rustix::system::uname();
    println!("Linux {}\n", kernel.release().to_string_lossy());
    let places = [Place::memory(), Place::disk()];
    for place in &places {
        let costs = Operation::ALL.map(|operation| {
            eprintln!("{} on {}", operation.name(), place.name);
            compare(operation, place, &interpreter, ROUNDS)
        });
        println!("{}", report::times(&place.name, &costs));
    }
    let counts = Operation::ALL.map(|operation| count_calls(operation, &places[0], &interpreter));
    println!("{}", report::calls(&counts));
}
