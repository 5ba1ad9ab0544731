//! The child processes of `growth`: `growing hold KEY NUMBER DIR` and `growing start KEY PATH`.

use std::path::Path;

use pidlock_benches::growth;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["hold", who, number, dir] => {
            growth::hold(
                who,
                number.parse().expect("parse the number"),
                Path::new(dir),
            );
        }
        ["start", who, path] => growth::start(who, Path::new(path)),
        _ => panic!("usage: growing hold|start KEY .. PATH"),
    }
}
