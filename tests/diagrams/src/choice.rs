//! Which of these do I need?

use crate::canvas::{Area, Canvas, Kind};

const QUESTION: f64 = 330.0;
const ANSWER: f64 = 440.0;
const GAP: f64 = 70.0;
const HEIGHT: f64 = 44.0;
const ROW: f64 = 72.0;

/// A question, and what to take if the answer is yes.
const QUESTIONS: &[(&[&str], &[&str], Kind)] = &[
    (
        &["Only between threads of one process?"],
        &["no file: a Mutex of std"],
        Kind::Other,
    ),
    (
        &["Between several machines?"],
        &["an engine that elects, and a token:", "the example cluster"],
        Kind::Other,
    ),
    (
        &["Only look at a program that runs,", "or stop it?"],
        &["`PidFile::status, holder, stop`"],
        Kind::Good,
    ),
    (
        &["Does the program go into the", "background by itself?"],
        &[
            "`PidFile::reserve, Reservation::commit`",
            "before and after the fork",
        ],
        Kind::Good,
    ),
    (
        &["Take the place of the instance", "that runs?"],
        &[
            "`PidFile::replace, PidGuard::hand_over`",
            "with and without a gap",
        ],
        Kind::Good,
    ),
    (
        &["Choose in the program what a", "refusal means?"],
        &["`PidFile::acquire`", "returns a guard or an error"],
        Kind::Good,
    ),
    (
        &["Once for each account, file", "or other argument?"],
        &[
            "`#[pidfile(\"job-{id}\")]`",
            "above a function with that parameter",
        ],
        Kind::Good,
    ),
];

const LAST: &[&str] = &["`#[pidfile(\"my_app\")]`", "above main"];

const NOTES: &[&str] = &[
    "A refused start fails at once. With the key timeout or wait, it waits for the other instance to end.",
    "With the key on_error, it returns what you choose.",
];

pub(crate) fn draw() -> String {
    let mut canvas = Canvas::new("Which of these do I need?", 874.0);
    let mut y = 8.0;
    let mut above: Option<Area> = None;
    for (question, answer, kind) in QUESTIONS {
        let area = Area {
            x: 8.0,
            y,
            width: QUESTION,
            height: HEIGHT,
        };
        let asked = canvas.boxed(area, Kind::Step, question);
        let area = Area {
            x: 8.0 + QUESTION + GAP,
            width: ANSWER,
            ..area
        };
        let answered = canvas.boxed(area, *kind, answer);
        canvas.arrow(&[asked.right(), answered.left()]);
        canvas.line(
            asked.right().0 + 18.0,
            asked.right().1 - 6.0,
            "quiet",
            "yes",
        );
        if let Some(above) = above {
            no(&mut canvas, above, asked);
        }
        above = Some(asked);
        y += ROW;
    }
    let area = Area {
        x: 8.0,
        y,
        width: QUESTION,
        height: HEIGHT,
    };
    let last = canvas.boxed(area, Kind::Good, LAST);
    no(&mut canvas, above.expect("there are questions"), last);
    y += HEIGHT + 26.0;
    for (index, line) in NOTES.iter().enumerate() {
        canvas.line(8.0, y + 18.0 * index as f64, "quiet", line);
    }
    canvas.finish()
}

/// Draws the arrow from a question to the next.
fn no(canvas: &mut Canvas, from: Area, to: Area) {
    canvas.arrow(&[from.bottom(), to.top()]);
    let (x, y) = from.bottom();
    canvas.line(x + 10.0, y + 18.0, "quiet", "no");
}
