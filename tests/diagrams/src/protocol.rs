//! What a start and a release do.

use crate::canvas::{Area, Canvas, Kind};

const WIDTH: f64 = 154.0;
const GAP: f64 = 20.0;
const HEIGHT: f64 = 44.0;

/// A title, the steps with their texts, and what to know about them.
type Lane = (
    &'static str,
    &'static [(Kind, &'static [&'static str])],
    &'static str,
);

const LANES: &[Lane] = &[
    (
        "A start",
        &[
            (Kind::Step, &["open the file,", "or create it"]),
            (Kind::Step, &["lock it,", "without waiting"]),
            (Kind::Step, &["does the path still", "name this file?"]),
            (Kind::Step, &["write the PID"]),
            (Kind::Good, &["runs"]),
        ],
        "If the path names another file, or none, the start begins again.",
    ),
    (
        "A start while another instance runs",
        &[
            (Kind::Step, &["open the file"]),
            (Kind::Step, &["the lock is taken"]),
            (Kind::Step, &["read the PID"]),
            (Kind::Bad, &["refused: already", "locked by that PID"]),
        ],
        "A refused start has changed nothing. With the key timeout or wait, it waits instead.",
    ),
    (
        "A start after a crash",
        &[
            (Kind::Step, &["open the file"]),
            (Kind::Step, &["lock it: the kernel", "has freed the lock"]),
            (Kind::Step, &["the process of the", "PID is gone"]),
            (Kind::Step, &["the path still", "names this file"]),
            (Kind::Good, &["writes its own PID,", "runs"]),
        ],
        "A file that this user does not own or may not write is removed while it is locked, and the start begins again.",
    ),
    (
        "A release",
        &[
            (Kind::Step, &["is the file still", "the locked one?"]),
            (Kind::Step, &["remove it while", "it is locked"]),
            (Kind::Step, &["close it, which", "frees the lock"]),
            (Kind::Good, &["the next start", "creates a new file"]),
        ],
        "A start that has opened the removed file locks it, finds that the path changed, and begins again.",
    ),
];

pub(crate) fn draw() -> String {
    let mut canvas = Canvas::new("How a pidfile is acquired and released", 874.0);
    let mut y = 22.0;
    for (title, steps, note) in LANES {
        canvas.line(8.0, y, "title", title);
        let mut before: Option<Area> = None;
        for (index, (kind, lines)) in steps.iter().enumerate() {
            let area = Area {
                x: 8.0 + (WIDTH + GAP) * index as f64,
                y: y + 10.0,
                width: WIDTH,
                height: HEIGHT,
            };
            canvas.boxed(area, *kind, lines);
            if let Some(before) = before {
                canvas.arrow(&[before.right(), area.left()]);
            }
            before = Some(area);
        }
        canvas.line(8.0, y + HEIGHT + 28.0, "quiet", note);
        y += HEIGHT + 66.0;
    }
    canvas.finish()
}
