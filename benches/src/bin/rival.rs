//! `rival KEY hold PATH` holds the file as the contender KEY does, until stdin is closed.
//!
//! `rival KEY once OPERATION PATH` runs an operation twice, the second time between two marks for
//! strace.

use std::io::Read;
use std::path::Path;

use pidlock_benches::contenders::Contender;
use pidlock_benches::marks;
use pidlock_benches::operation::Operation;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [key, "hold", path] => {
            let _held = (Contender::by_key(key).hold)(path.into());
            println!("held");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        }
        [key, "once", operation, path] => {
            let (operation, run) = find(key, operation);
            let path = Path::new(path);
            operation.prepare(path);
            run(path);
            operation.prepare(path);
            marks::between(|| run(path));
        }
        _ => panic!("usage: rival KEY hold|once .. PATH"),
    }
}

fn find(key: &str, operation: &str) -> (Operation, fn(&Path)) {
    let operation: Operation = operation.parse().expect("parse the operation");
    let run = Contender::by_key(key).operation(operation);
    (
        operation,
        run.expect("the contender supports the operation"),
    )
}
