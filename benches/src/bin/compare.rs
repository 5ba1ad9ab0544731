//! Measures all contenders in interleaved rounds and prints the tables. With `--readme`, also writes
//! them into `benches/README.md`, and draws `benches/ratios.svg`.

use std::fmt::Write;

use pidlock_benches::comparison::{Effort, compare, count_calls};
use pidlock_benches::operation::Operation;
use pidlock_benches::place::{self, Place};
use pidlock_benches::{python, readme, report, whole};

/// With so many rounds, the medians vary by only a few percent on a busy machine.
const IN_MEMORY: Effort = Effort {
    rounds: 400,
    batch: 20,
};
/// Fewer rounds than in memory, because contenders that flush the file are slow on a disk.
const ON_DISK: Effort = Effort {
    rounds: 150,
    batch: 4,
};

fn main() {
    let interpreter = python::interpreter(&place::target());
    let places = [Place::memory(), Place::disk()];
    let mut text = readme::occasion();
    for (place, effort) in places.iter().zip([IN_MEMORY, ON_DISK]) {
        let costs = Operation::ALL.map(|operation| {
            eprintln!("{} on {}", operation.name(), place.name);
            compare(operation, place, &interpreter, effort)
        });
        let _ = write!(text, "\n{}", report::times(&place.name, &costs));
    }
    let memory = &places[0];
    let counts = Operation::ALL.map(|operation| count_calls(operation, memory, &interpreter));
    let _ = write!(text, "\n{}", report::calls(&counts));
    eprintln!("whole processes");
    let processes = whole::compare(memory, &interpreter);
    let _ = write!(text, "\n{}", report::processes(&processes));

    print!("{text}");
    if std::env::args().any(|argument| argument == "--readme") {
        readme::replace("compare", &text);
    }
}
