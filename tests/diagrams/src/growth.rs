//! How costs grow with a number, one panel for each operation. Each vertical axis starts at zero, so
//! that a small change looks small.

use crate::canvas::{Canvas, Mark};
use crate::table::{Table, micros, tables};

const PANEL: f64 = 310.0;
const LEFT: f64 = 34.0;
const WIDTH: f64 = 236.0;
const TOP: f64 = 84.0;
const HEIGHT: f64 = 150.0;

pub(crate) fn draw(markdown: &str) -> String {
    let tables = tables(markdown, "growth");
    let title = "Cost of one operation beside many";
    let mut canvas = Canvas::new(title, PANEL * tables.len() as f64);
    canvas.key(8.0, Mark::Us, "pidlock-core");
    canvas.key(150.0, Mark::Other, "floor: raw system calls");
    for (index, table) in tables.iter().enumerate() {
        panel(&mut canvas, PANEL * index as f64, table);
    }
    canvas.finish()
}

fn panel(canvas: &mut Canvas, left: f64, table: &Table<'_>) {
    canvas.line(left + 8.0, TOP - 36.0, "title", table.head[0]);
    let base = TOP + HEIGHT;
    let end = left + LEFT + WIDTH;
    canvas.rule((left + LEFT - 15.0, base), (end + 15.0, base));
    let numbers = &table.head[1..];
    let x = |index: usize| left + LEFT + WIDTH * index as f64 / (numbers.len() - 1) as f64;
    for (index, number) in numbers.iter().enumerate() {
        canvas.line_around(x(index), base + 18.0, "quiet", number);
    }
    let cells = || table.rows.iter().flat_map(|row| &row[1..]);
    let most = cells().map(|cell| micros(cell).0).fold(0.0, f64::max);
    // The floor's labels are below its points, those of pidlock-core above.
    for (row, mark, label) in [(0, Mark::Other, 20.0), (1, Mark::Us, -10.0)] {
        for (index, cell) in table.rows[row][1..].iter().enumerate() {
            let (time, text) = micros(cell);
            let y = base - HEIGHT * time / most;
            canvas.point(x(index), y, mark);
            canvas.line_around(x(index), y + label, "quiet", text);
        }
    }
}
