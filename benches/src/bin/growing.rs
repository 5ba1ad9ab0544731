//! `growing hold WHO NUMBER DIR` and `growing start WHO PATH`: the processes that `growth` measures.

use std::path::Path;

use pidlock_benches::growth;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["hold", who, number, dir] => {
            growth::hold(who, number.parse().expect("a number"), Path::new(dir));
        }
        ["start", who, path] => growth::start(who, Path::new(path)),
        _ => panic!("usage: growing hold|start WHO .. PATH"),
    }
}
