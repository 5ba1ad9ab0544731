//! Measures how the cost of an operation grows with the number of files or processes, and prints the
//! tables. With `--readme`, also writes them into `benches/README.md`, and draws `benches/growth.svg`.

use std::fmt::Write;

use pidlock_benches::growth::{Growth, holds, looks, starts};
use pidlock_benches::place::Place;
use pidlock_benches::{readme, report};

fn main() {
    let place = Place::memory();
    let all = [
        (
            "one more hold, beside N",
            holds(&place, &[1, 10, 100, 1000, 10_000]),
        ),
        (
            "one of N starts, processor time",
            starts(&place, &[1, 10, 100, 1000]),
        ),
        (
            "a look at each of N pidfiles",
            looks(&place, &[1, 10, 100, 1000]),
        ),
    ];
    let mut text = readme::occasion();
    for (title, growth) in &all {
        let _ = write!(text, "\n{}", table(title, growth));
    }
    print!("{text}");
    if std::env::args().any(|argument| argument == "--readme") {
        readme::replace("growth", &text);
    }
}

fn table(title: &str, growth: &Growth) -> String {
    let mut rows = [
        format!("| {title} |"),
        "|---|".into(),
        "| floor: raw system calls |".into(),
        "| **pidlock-core** |".into(),
    ];
    for (number, [floor, ours]) in growth {
        let ratio = ours.as_secs_f64() / floor.as_secs_f64();
        rows[0] += &format!(" {number} |");
        rows[1] += "---|";
        rows[2] += &format!(" {} |", report::time(*floor));
        rows[3] += &format!(" {}, {} |", report::time(*ours), report::ratio(ratio));
    }
    rows.join("\n") + "\n"
}
