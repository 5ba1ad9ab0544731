//! The times of other crates and of Python, as bars on a logarithmic scale.

use crate::canvas::{Area, Canvas, Mark};
use crate::table::{Table, ratio, tables};

const ROW: f64 = 18.0;
const BAR: f64 = 11.0;
const NAMES: f64 = 152.0;
const SCALE: f64 = 224.0;
const PANEL: f64 = NAMES + SCALE + 70.0;
const TOP: f64 = 56.0;

pub(crate) fn draw(markdown: &str) -> String {
    let tables = tables(markdown, "compare");
    let places: Vec<_> = (tables.iter())
        .filter(|table| table.head[0].starts_with("on "))
        .collect();
    let title = "Times of operations, as ratios to the raw system calls";
    let mut canvas = Canvas::new(title, PANEL * places.len() as f64);
    canvas.key(8.0, Mark::Us, "pidlock-core");
    canvas.key(
        150.0,
        Mark::Other,
        "others; the table of system calls says what each leaves out",
    );
    for (index, table) in places.into_iter().enumerate() {
        panel(&mut canvas, PANEL * index as f64, table);
    }
    canvas.finish()
}

/// Draws the table of one place.
fn panel(canvas: &mut Canvas, left: f64, table: &Table<'_>) {
    let title = format!("{}: times the floor, raw system calls", table.head[0]);
    canvas.line(left + 8.0, TOP - 14.0, "title", &title);
    let ratios = || table.rows.iter().flatten().filter_map(|cell| ratio(cell));
    let below = ratios().fold(1.0, f64::min).log2().floor();
    let above = ratios().fold(2.0, f64::max).log2().ceil();
    let at = |ratio: f64| left + NAMES + 12.0 + SCALE * (ratio.log2() - below) / (above - below);
    let mut y = TOP;
    for (column, operation) in table.head.iter().enumerate().skip(1) {
        canvas.line(left + 8.0, y + 12.0, "title", operation);
        y += ROW + 2.0;
        let top = y;
        // The floor has no bar: it is the base line.
        for row in &table.rows[1..] {
            let Some(ratio) = ratio(row[column]) else {
                continue;
            };
            let name = row[0].replace(['`', '*'], "");
            let (from, to) = (at(1.0).min(at(ratio)), at(1.0).max(at(ratio)));
            canvas.line_before(left + NAMES, y + 10.0, "", &name);
            let bar = Area {
                x: from,
                y,
                width: (to - from).max(2.0),
                height: BAR,
            };
            let is_us = row[0].starts_with("**");
            canvas.bar(bar, if is_us { Mark::Us } else { Mark::Other });
            let (_, label) = row[column].split_once(", ").expect("a ratio");
            canvas.line(to.max(at(1.0)) + 5.0, y + 10.0, "quiet", label);
            y += ROW;
        }
        canvas.rule((at(1.0), top - 4.0), (at(1.0), y - 2.0));
        y += 10.0;
    }
}
