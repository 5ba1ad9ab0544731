//! Plots time over number, one panel per operation.

use std::fmt::Write;

use crate::growth::Growth;
use crate::picture::STYLE;
use crate::report;

const PANEL: f64 = 300.0;
const LEFT: f64 = 30.0;
const WIDTH: f64 = 230.0;
const TOP: f64 = 66.0;
const HEIGHT: f64 = 150.0;

/// Draws the panels side by side. Each vertical axis starts at zero, so that a small change looks
/// small.
#[must_use]
pub fn draw(all: &[(&str, Growth)]) -> String {
    let width = PANEL * all.len() as f64;
    let height = TOP + HEIGHT + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Cost over number\">\n\
         <style>{STYLE}polyline{{fill:none;stroke-width:2}}.us-line{{stroke:#0969da}}\
         .floor-line{{stroke:#8b949e}}</style>\n\
         <rect class=\"us\" x=\"8\" y=\"8\" width=\"11\" height=\"11\"/>\
         <text x=\"25\" y=\"18\">pidlock-core</text>\
         <rect x=\"118\" y=\"8\" width=\"11\" height=\"11\" fill=\"#8b949e\"/>\
         <text x=\"135\" y=\"18\">floor: raw system calls</text>\n"
    );
    for (index, (title, growth)) in all.iter().enumerate() {
        panel(&mut svg, PANEL * index as f64, title, growth);
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, left: f64, title: &str, growth: &Growth) {
    let x = |number: usize| {
        let largest = growth.last().map_or(10, |(number, _)| *number) as f64;
        left + LEFT + WIDTH * (number as f64).log10() / largest.log10()
    };
    let times = || growth.iter().flat_map(|(_, both)| both);
    let top = times().max().map_or(1.0, |time| time.as_secs_f64()) * 1.15;
    let y = |seconds: f64| TOP + HEIGHT * (1.0 - seconds / top);
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"{}\" y=\"{}\">{title}</text>",
        left + 8.0,
        TOP - 18.0
    );
    let base = TOP + HEIGHT;
    let _ = writeln!(
        svg,
        "<line class=\"base\" x1=\"{0}\" x2=\"{1}\" y1=\"{base}\" y2=\"{base}\"/>",
        left + LEFT - 15.0,
        left + LEFT + WIDTH + 15.0
    );
    for (number, _) in growth {
        let _ = writeln!(
            svg,
            "<text class=\"quiet\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
            x(*number),
            base + 16.0
        );
    }
    for (who, class) in ["floor-line", "us-line"].into_iter().enumerate() {
        let mut points = String::new();
        for (number, both) in growth {
            let (x, y) = (x(*number), y(both[who].as_secs_f64()));
            let _ = write!(points, "{x:.1},{y:.1} ");
            // The floor's labels are below its line, those of pidlock-core above.
            let label = y + if who == 0 { 15.0 } else { -7.0 };
            let time = report::time(both[who]);
            let _ = writeln!(
                svg,
                "<text class=\"quiet\" x=\"{x:.1}\" y=\"{label:.1}\" \
                 text-anchor=\"middle\">{time}</text>"
            );
        }
        let _ = writeln!(svg, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }
}
