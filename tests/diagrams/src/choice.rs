//! Which of these do I need?

use crate::canvas::{Area, Canvas, Kind};

const QUESTION: f64 = 330.0;
const ANSWER: f64 = 440.0;
const GAP: f64 = 70.0;
const HEIGHT: f64 = 44.0;
const ROW: f64 = 72.0;

/// A question about the program, and what to take if the answer is yes. The guide has a table of the
/// same.
const QUESTIONS: &[(&[&str], &[&str], Kind)] = &[
    (
        &["Does it exclude only threads", "of one process?"],
        &["no file: a Mutex of std"],
        Kind::Other,
    ),
    (
        &["Must it run once in a whole cluster?"],
        &["a database or Kubernetes elects:", "the example cluster"],
        Kind::Other,
    ),
    (
        &["Does it fork into the background", "by itself?"],
        &[
            "`PidFile::reserve, Reservation::commit`",
            "in the parent, and in the child",
        ],
        Kind::Good,
    ),
    (
        &["Does it start its own new version,", "without a gap?"],
        &["`PidGuard::hand_over`"],
        Kind::Good,
    ),
    (
        &["Does it stop the old instance", "and take its place?"],
        &["`PidFile::replace`"],
        Kind::Good,
    ),
    (
        &[
            "Does it decide for itself what to do",
            "when it is refused?",
        ],
        &["`PidFile::acquire`"],
        Kind::Good,
    ),
    (
        &["Does it wait until the other instance", "is done?"],
        &["`#[pidfile(\"my_app\", timeout = ...)]`", "or wait"],
        Kind::Good,
    ),
    (
        &[
            "Does cron start it, and it skips its",
            "turn while it is still running?",
        ],
        &[
            "`#[pidfile(\"my_app\", on_error = skip)]`",
            "with pidlock_core::on_error::skip",
        ],
        Kind::Good,
    ),
    (
        &["Does it have parts that each run", "once at a time?"],
        &[
            "`#[pidfile(\"part-{id}\")]`",
            "above a function with that parameter",
        ],
        Kind::Good,
    ),
];

const LAST: &[&str] = &["`#[pidfile(\"my_app\")]`", "above main"];

const NOTES: &[&str] =
    &["Another program uses the file without acquiring it: PidFile::status, stop and holder."];

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

#[cfg(test)]
mod tests {
    use super::QUESTIONS;

    #[test]
    fn table_of_the_guide_has_the_same_rows() {
        let path = crate::root().join("pidlock-core/src/guide/index.md");
        let page = std::fs::read_to_string(path).expect("read the page");
        let (_, table) = page
            .split_once("| the program | use |\n|---|---|\n")
            .expect("the table");
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        // The last row is for any other program.
        assert_eq!(rows.count(), QUESTIONS.len() + 1);
    }
}
