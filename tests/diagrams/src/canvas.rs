//! Boxes, arrows and text.

use svg::node::element::{Circle, Group, Line, Path, Polygon, Rectangle, Style, Text, Title};
use svg::{Document, Node};

use crate::style;

/// The height of a line of text.
const LINE: f64 = 17.0;

/// The width of a character. Wider than that of common fonts, so that text fits in all of them.
const CHARACTER: f64 = 7.3;

/// What a box stands for, which decides its colour.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Step,
    Good,
    Bad,
    Other,
}

/// Whose value a bar or a point is.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Us,
    Other,
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Other => "them",
        }
    }
}

/// A box with text in it.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    pub(crate) fn right(self) -> (f64, f64) {
        (self.x + self.width, self.y + self.height / 2.0)
    }

    pub(crate) fn left(self) -> (f64, f64) {
        (self.x, self.y + self.height / 2.0)
    }

    pub(crate) fn top(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y)
    }

    pub(crate) fn bottom(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height)
    }

    fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// A picture that is being drawn. Panics if two pieces of it overlap.
pub(crate) struct Canvas {
    width: f64,
    title: &'static str,
    group: Group,
    areas: Vec<(Area, String)>,
}

impl Canvas {
    pub(crate) fn new(title: &'static str, width: f64) -> Self {
        Self {
            width,
            title,
            group: Group::new(),
            areas: Vec::new(),
        }
    }

    /// Takes a place that nothing else has.
    fn occupy(&mut self, area: Area, what: &str) {
        assert!(
            area.x >= 0.0 && area.x + area.width <= self.width,
            "'{what}' is outside"
        );
        for (other, text) in &self.areas {
            assert!(!area.overlaps(*other), "'{what}' is over '{text}'");
        }
        self.areas.push((area, what.to_owned()));
    }

    /// Draws a box with a line of text, or several. A line between backticks is code.
    pub(crate) fn boxed(&mut self, area: Area, kind: Kind, lines: &[&str]) -> Area {
        self.occupy(area, lines[0]);
        let class = match kind {
            Kind::Step => "box step",
            Kind::Good => "box good",
            Kind::Bad => "box bad",
            Kind::Other => "box other",
        };
        let rectangle = Rectangle::new()
            .set("class", class)
            .set("x", area.x)
            .set("y", area.y)
            .set("width", area.width)
            .set("height", area.height)
            .set("rx", 6);
        self.add(rectangle);
        let text_height = LINE * lines.len() as f64;
        assert!(text_height <= area.height, "'{}' is too high", lines[0]);
        let top = area.y + (area.height - text_height) / 2.0;
        for (index, line) in lines.iter().enumerate() {
            let room = area.width - 8.0;
            assert!(width(line) <= room, "'{line}' is too long: {}", width(line));
            let (x, y) = (area.x + area.width / 2.0, top + LINE * index as f64 + 13.0);
            self.text(x, y, "middle", "", line);
        }
        area
    }

    /// Writes a line of text that starts at a point.
    pub(crate) fn line(&mut self, x: f64, y: f64, class: &str, line: &str) {
        self.occupy(line_area(x, y, line), line);
        self.text(x, y, "start", class, line);
    }

    /// Writes a line of text that ends at a point.
    pub(crate) fn line_before(&mut self, x: f64, y: f64, class: &str, line: &str) {
        self.occupy(line_area(x - width(line), y, line), line);
        self.text(x, y, "end", class, line);
    }

    /// Writes a line of text that has a point in its middle.
    pub(crate) fn line_around(&mut self, x: f64, y: f64, class: &str, line: &str) {
        self.occupy(line_area(x - width(line) / 2.0, y, line), line);
        self.text(x, y, "middle", class, line);
    }

    /// Explains a mark, in the first line of the picture.
    pub(crate) fn key(&mut self, x: f64, mark: Mark, line: &str) {
        let (y, width, height) = (8.0, 11.0, 11.0);
        self.bar(
            Area {
                x,
                y,
                width,
                height,
            },
            mark,
        );
        self.line(x + 17.0, 18.0, "", line);
    }

    /// Draws a bar.
    pub(crate) fn bar(&mut self, area: Area, mark: Mark) {
        self.occupy(area, "a bar");
        let rectangle = Rectangle::new()
            .set("class", mark.class())
            .set("x", rounded(area.x))
            .set("y", rounded(area.y))
            .set("width", rounded(area.width))
            .set("height", area.height);
        self.add(rectangle);
    }

    /// Draws a point, which may be over another one.
    pub(crate) fn point(&mut self, x: f64, y: f64, mark: Mark) {
        let (x, y) = (rounded(x), rounded(y));
        let circle = Circle::new().set("class", mark.class());
        self.add(circle.set("cx", x).set("cy", y).set("r", 4));
    }

    /// Draws an axis.
    pub(crate) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        let line = Line::new().set("class", "base");
        let line = line.set("x1", rounded(from.0)).set("y1", rounded(from.1));
        self.add(line.set("x2", rounded(to.0)).set("y2", rounded(to.1)));
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, line: &str) {
        let (class, line) = match code(line) {
            Some(code) => (format!("{class} code"), code),
            None => (class.to_owned(), line),
        };
        let (x, y) = (rounded(x), rounded(y));
        let mut text = Text::new(line).set("x", x).set("y", y);
        if anchor != "start" {
            text = text.set("text-anchor", anchor);
        }
        if !class.is_empty() {
            text = text.set("class", class.trim_start());
        }
        self.add(text);
    }

    /// Draws an arrow along points, the segments of which are horizontal or vertical.
    pub(crate) fn arrow(&mut self, points: &[(f64, f64)]) {
        let [.., before, (x, y)] = points else {
            panic!("an arrow has two points")
        };
        let (right, down) = ((x - before.0).signum(), (y - before.1).signum());
        let is_horizontal = before.1 == *y;
        let (back, side) = match is_horizontal {
            true => ((x - 8.0 * right, *y), (0.0, 4.0)),
            false => ((*x, y - 8.0 * down), (4.0, 0.0)),
        };
        let start = points[0];
        let line = points[1..points.len() - 1]
            .iter()
            .chain([&back])
            .fold(format!("M{},{}", start.0, start.1), |path, point| {
                format!("{path} L{},{}", point.0, point.1)
            });
        self.add(Path::new().set("class", "arrow").set("d", line));
        let head = format!(
            "{x},{y} {},{} {},{}",
            back.0 + side.0,
            back.1 + side.1,
            back.0 - side.0,
            back.1 - side.1
        );
        self.add(Polygon::new().set("class", "head").set("points", head));
    }

    fn add(&mut self, node: impl Node) {
        self.group.append(node);
    }

    /// Returns the text of the file.
    pub(crate) fn finish(self) -> String {
        let bottoms = self.areas.iter().map(|(area, _)| area.y + area.height);
        let height = bottoms.fold(0.0, f64::max) + 8.0;
        let document = Document::new()
            .set("class", "pidlock")
            .set("viewBox", (0, 0, self.width, height))
            .set("width", self.width)
            .set("height", height)
            .set("role", "img")
            .set("aria-label", self.title)
            .add(Title::new(self.title))
            .add(Style::new(style::sheet()))
            .add(self.group);
        format!("{document}\n")
    }
}

/// The text of a line that is code.
fn code(line: &str) -> Option<&str> {
    line.strip_prefix('`')?.strip_suffix('`')
}

/// The place of a line of text that starts at a point.
fn line_area(x: f64, y: f64, line: &str) -> Area {
    Area {
        x,
        y: y - 12.0,
        width: width(line),
        height: LINE - 2.0,
    }
}

/// Rounded to a tenth, so that files do not differ in digits that are not seen.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn width(line: &str) -> f64 {
    CHARACTER * code(line).unwrap_or(line).chars().count() as f64
}
