//! What happens to the pidfile, however the program ends.

use crate::canvas::{Area, Canvas, Kind};

const HEIGHT: f64 = 40.0;
const ROW: f64 = 54.0;
const CAUSE: f64 = 300.0;
const FILE: f64 = 216.0;
const NEXT: f64 = 216.0;
const GAP: f64 = 50.0;

/// How a program ends.
const CAUSES: &[&[&str]] = &[
    &[
        "returns, with or without an error,",
        "or panics and unwinds",
    ],
    &[
        "calls process::exit, or returns from",
        "main with the guard in a static",
    ],
    &[
        "gets SIGTERM, SIGINT or SIGHUP,",
        "which it does not handle",
    ],
    &["gets one of these signals", "and handles it"],
    &["aborts, is killed by SIGKILL,", "or loses its power"],
    &["ends after it gave up the permission", "to remove the file"],
    &["is a forked child that ends"],
];

pub(crate) fn draw() -> String {
    let mut canvas = Canvas::new("However it ends", 874.0);
    canvas.line(8.0, 22.0, "title", "The program");
    canvas.line(8.0 + CAUSE + GAP, 22.0, "title", "Its pidfile");
    canvas.line(8.0 + CAUSE + FILE + 2.0 * GAP, 22.0, "title", "Then");
    let causes: Vec<_> = (CAUSES.iter().enumerate())
        .map(|(row, lines)| canvas.boxed(place(0, row, row), Kind::Step, lines))
        .collect();
    let removed = canvas.boxed(place(1, 0, 2), Kind::Good, &["is removed"]);
    let stays = canvas.boxed(
        place(1, 3, 3),
        Kind::Other,
        &["stays until the", "guard is dropped"],
    );
    let left = canvas.boxed(place(1, 4, 4), Kind::Other, &["stays"]);
    let blank = canvas.boxed(place(1, 5, 5), Kind::Other, &["is emptied"]);
    let kept = canvas.boxed(place(1, 6, 6), Kind::Step, &["is not touched"]);
    let free = canvas.boxed(
        place(2, 0, 3),
        Kind::Good,
        &["the next start", "creates a new file"],
    );
    let over = canvas.boxed(
        place(2, 4, 5),
        Kind::Good,
        &["the next start", "takes the file over"],
    );
    let goes_on = canvas.boxed(place(2, 6, 6), Kind::Step, &["the parent goes on"]);

    let files = [removed, removed, removed, stays, left, blank, kept];
    for (cause, file) in causes.iter().zip(files) {
        across(&mut canvas, *cause, file);
    }
    for (file, next) in [
        (removed, free),
        (stays, free),
        (left, over),
        (blank, over),
        (kept, goes_on),
    ] {
        across(&mut canvas, file, next);
    }
    canvas.finish()
}

/// The place of a box in a column that spans rows.
fn place(column: usize, first: usize, last: usize) -> Area {
    let (x, width) = [
        (8.0, CAUSE),
        (8.0 + CAUSE + GAP, FILE),
        (8.0 + CAUSE + FILE + 2.0 * GAP, NEXT),
    ][column];
    Area {
        x,
        y: 34.0 + ROW * first as f64,
        width,
        height: HEIGHT + ROW * (last - first) as f64,
    }
}

/// Draws an arrow to the next column, at the height of the box that spans fewer rows.
fn across(canvas: &mut Canvas, from: Area, to: Area) {
    let y = match from.height < to.height {
        true => from.right().1,
        false => to.left().1,
    };
    canvas.arrow(&[(from.right().0, y), (to.left().0, y)]);
}
