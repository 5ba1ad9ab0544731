//! Draws the ratios to the floor as bars, on a logarithmic scale.

use std::fmt::Write;

use crate::comparison::Competitor;
use crate::operation::Operation;
use crate::report::{self, Costs};

/// Styles with colours for light and for dark pages.
pub const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}\
.title{font-weight:600;font-size:13px}\
.quiet{fill:#59636e}\
.grid{stroke:#d1d9e0}\
.base{stroke:#59636e}\
.us{fill:#0969da}.all{fill:#6e7781}.part{fill:#c3cad1}\
@media(prefers-color-scheme:dark){\
text{fill:#f0f6fc}\
.quiet{fill:#9198a1}\
.grid{stroke:#3d444d}\
.base{stroke:#9198a1}\
.us{fill:#4493f8}.all{fill:#8b949e}.part{fill:#4b535d}}";

const ROW: f64 = 17.0;
const BAR: f64 = 11.0;
const NAMES: f64 = 150.0;
const SCALE: f64 = 250.0;
const PANEL: f64 = NAMES + SCALE + 60.0;
const TOP: f64 = 64.0;

/// Draws one panel per place, side by side.
#[must_use]
pub fn draw(places: &[(String, Costs)]) -> String {
    let mut body = String::new();
    let mut bottom: f64 = 0.0;
    for (index, (place, costs)) in places.iter().enumerate() {
        let mut panel = Panel::new(PANEL * index as f64, costs);
        panel.draw(place, costs);
        bottom = bottom.max(panel.y);
        body += &panel.svg;
    }
    let width = PANEL * places.len() as f64;
    let height = bottom + 8.0;
    legend(&mut body);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Ratios to the floor, the raw system calls\">\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn legend(svg: &mut String) {
    let mut x = 8.0;
    for (class, text, width) in [
        ("us", "pidlock-core", 110.0),
        (
            "all",
            "excludes, writes the PID, names the holder, removes the file",
            400.0,
        ),
        ("part", "leaves some of that out", 0.0),
    ] {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"8\" width=\"11\" height=\"11\"/>\
             <text x=\"{}\" y=\"18\">{text}</text>",
            x + 17.0
        );
        x += width;
    }
}

struct Panel {
    svg: String,
    x: f64,
    y: f64,
    /// The lower end of the scale, as a power of two.
    below: f64,
    /// The upper end of the scale, as a power of two.
    above: f64,
}

impl Panel {
    fn new(x: f64, costs: &Costs) -> Self {
        let ratios = || costs.iter().flatten().flatten().map(|cost| cost.ratio);
        Self {
            svg: String::new(),
            x,
            y: TOP,
            below: ratios().fold(1.0, f64::min).log2().floor(),
            above: ratios().fold(2.0, f64::max).log2().ceil(),
        }
    }

    fn at(&self, ratio: f64) -> f64 {
        let part = (ratio.log2() - self.below) / (self.above - self.below);
        self.x + NAMES + SCALE * part
    }

    fn draw(&mut self, place: &str, costs: &Costs) {
        for operation in Operation::ALL {
            self.text(
                self.x + 8.0,
                self.y + 12.0,
                "title",
                "start",
                operation.name(),
            );
            self.y += ROW + 2.0;
            // The floor has no bar: it is the base line.
            for (who, cost) in Competitor::all()
                .into_iter()
                .zip(&costs[operation as usize])
                .skip(1)
            {
                if let Some(cost) = cost {
                    self.bar(who, cost.ratio);
                }
            }
            self.y += 8.0;
        }
        self.grid(place);
    }

    fn bar(&mut self, who: Competitor, ratio: f64) {
        let (from, to) = (self.at(1.0), self.at(ratio));
        let class = match () {
            () if who.is_us() => "us",
            () if who.does_it_all() => "all",
            () => "part",
        };
        let name = who.name().replace(['`', '*'], "");
        let base = self.y + 10.0;
        self.text(self.x + NAMES - 8.0, base, "", "end", &name);
        let (left, width) = (from.min(to), (to - from).abs().max(2.0));
        let _ = writeln!(
            self.svg,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>",
            self.y
        );
        let label = report::ratio(ratio);
        self.text(from.max(to) + 5.0, base, "quiet", "start", &label);
        self.y += ROW;
    }

    fn grid(&mut self, place: &str) {
        let drawn = std::mem::take(&mut self.svg);
        let title = format!("on {place}: times the floor, raw system calls");
        self.text(self.x + 8.0, TOP - 26.0, "title", "start", &title);
        let (top, bottom) = (TOP - 4.0, self.y);
        let steps = self.above - self.below;
        let every = if steps > 5.0 { 2 } else { 1 };
        for step in (self.below as i32..=self.above as i32).filter(|step| step % every == 0) {
            let x = self.at(2f64.powi(step));
            let class = if step == 0 { "base" } else { "grid" };
            let _ = writeln!(
                self.svg,
                "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
            );
            let label = format!("{}x", 2f64.powi(step));
            self.text(x, top - 4.0, "quiet", "middle", &label);
        }
        // Append the bars after the grid, so that they cover its lines.
        self.svg += &drawn;
    }

    fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        let _ = writeln!(
            self.svg,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }
}
