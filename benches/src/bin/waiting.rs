//! Measures waits: from the end of a holder to the acquisition by a waiter, beside `flock(1)` and a
//! blocking `flock(2)`. With `--readme`, also writes the tables into `benches/README.md`.
//!
//! It starts itself as `waiting wait HOW PATH`, `waiting hold HOW PATH` and `waiting now`
//! (see `pidlock_benches::waiting`).

use std::path::Path;

use pidlock_benches::{readme, waiting};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["wait", how, path] => waiting::wait(how, Path::new(path)),
        ["hold", how, path] => waiting::hold(how, Path::new(path)),
        ["now"] => println!("{}", waiting::now().as_nanos()),
        _ => {
            let text = format!("{}\n{}", readme::occasion(), waiting::tables());
            print!("{text}");
            if arguments.contains(&"--readme") {
                readme::replace("waiting", &text);
            }
        }
    }
}
