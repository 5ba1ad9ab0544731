//! Formats the results as Markdown.

use std::fmt::Write;
use std::time::Duration;

use crate::comparison::{Competitor, Cost};
use crate::operation::Operation;

/// The costs in one place, by operation and then in the order of [`Competitor::all`].
pub type Costs = [Vec<Option<Cost>>; 4];

/// Returns the table of times and ratios in one place.
#[must_use]
pub fn times(place: &str, costs: &Costs) -> String {
    table(&format!("on {place}"), None, |operation, who| {
        costs[operation][who].map_or_else(dash, |cost| {
            let time = time(cost.time);
            match who {
                0 => time,
                _ => format!("{time}, {}", ratio(cost.ratio)),
            }
        })
    })
}

/// Returns the table of system calls, with a column of missing features.
#[must_use]
pub fn calls(counts: &[Vec<Option<usize>>; 4]) -> String {
    let skips = Some((
        "leaves out",
        Competitor::skips as fn(Competitor) -> &'static str,
    ));
    table("system calls", skips, |operation, who| {
        counts[operation][who].map_or_else(dash, |count| count.to_string())
    })
}

/// Returns the table of whole processes.
#[must_use]
pub fn processes(costs: &[(&str, Cost)]) -> String {
    let mut text = "| a whole process | |\n|---|---|\n".to_owned();
    for (index, (name, cost)) in costs.iter().enumerate() {
        let time = time(cost.time);
        let _ = match index {
            0 => writeln!(text, "| {name} | {time} |"),
            _ => writeln!(text, "| {name} | {time}, {} |", ratio(cost.ratio)),
        };
    }
    text
}

type Remarks = Option<(&'static str, fn(Competitor) -> &'static str)>;

fn table(title: &str, remarks: Remarks, cell: impl Fn(usize, usize) -> String) -> String {
    let mut text = format!("| {title} |");
    let mut line = "|---|".to_owned();
    for operation in Operation::ALL {
        let _ = write!(text, " {} |", operation.name());
        line += "---|";
    }
    if let Some((title, _)) = remarks {
        let _ = write!(text, " {title} |");
        line += "---|";
    }
    let _ = writeln!(text, "\n{line}");
    for (index, who) in Competitor::all().into_iter().enumerate() {
        let _ = write!(text, "| {} |", who.name());
        for operation in 0..Operation::ALL.len() {
            let _ = write!(text, " {} |", cell(operation, index));
        }
        if let Some((_, remark)) = remarks {
            let _ = write!(text, " {} |", remark(who));
        }
        text.push('\n');
    }
    text
}

fn dash() -> String {
    "–".into()
}

/// Formats a time with about three significant digits.
#[must_use]
pub fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        1000.0.. => format!("{:.2} ms", micros / 1000.0),
        100.0.. => format!("{micros:.0} µs"),
        10.0.. => format!("{micros:.1} µs"),
        _ => format!("{micros:.2} µs"),
    }
}

/// Formats a ratio.
#[must_use]
pub fn ratio(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}x"),
        _ => format!("{ratio:.2}x"),
    }
}
