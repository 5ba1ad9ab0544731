//! The order of things: several processes, each led from call to call, so that every one stands
//! where it is put while others go on. No clock decides what meets what.

use std::path::Path;

use pidlock_tests::figures::Figures;
use pidlock_tests::stepper::Ending;

use super::cases::{Case, There};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_shared};
use super::tally::Tally;

/// How far a process goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// So many calls that others can see, or be seen by.
    Calls(usize),
    /// Until it is in, or was refused.
    Taken,
    End,
}
use To::{Calls, End, Taken};

/// Which process, and how far.
type Move = (usize, To);

struct Process {
    case: Case,
    run: Run,
    inside: bool,
    ended: bool,
    checked: Checked,
    figures: Figures,
}

/// A process that goes round and round for so many calls will not end.
const FOR_EVER: usize = 200_000;

impl Process {
    fn start(case: Case, path: &Path) -> Self {
        Self {
            case,
            run: Run::start(case, path),
            inside: false,
            ended: false,
            checked: Ok(()),
            figures: Figures::default(),
        }
    }

    /// Whether it came so far before its end. `others_inside`: while it goes, they stand still.
    fn go(&mut self, to: To, others_inside: bool) -> bool {
        let mut calls = 0;
        for _ in 0..FOR_EVER {
            if self.ended {
                return to == End;
            }
            let moment = self.run.advance();
            // It stood at the end of its hold, and goes on.
            self.inside = false;
            match moment {
                Moment::Before(call) if is_shared(self.case, call) => {
                    calls += 1;
                    if to == Calls(calls) {
                        return true;
                    }
                }
                Moment::Mark(TAKEN) => {
                    let line = self.run.stepper.line();
                    self.inside = line == "in";
                    self.figures.holds += u64::from(self.inside);
                    self.figures.overlaps += u64::from(self.inside && others_inside);
                    let fine = self.inside || line.starts_with("refused: ");
                    self.expect(fine, &line);
                    calls += 1;
                    if to == Taken || to == Calls(calls) {
                        return true;
                    }
                }
                Moment::Mark(GIVEN_BACK) => {
                    let line = self.run.stepper.line();
                    self.expect(matches!(&*line, "closed" | "nothing to give back"), &line);
                }
                Moment::Ended(ending) => {
                    self.ended = true;
                    self.expect(ending == Ending::Code(0), &format!("{ending:?}"));
                }
                _ => {}
            }
        }
        self.expect(false, "for ever");
        false
    }

    fn expect(&mut self, fine: bool, line: &str) {
        if self.checked.is_ok() {
            self.checked = check(fine, || format!("it says {line:?}"));
        }
    }
}

/// The beginning of an order.
#[derive(Debug, Clone, Copy)]
struct Scene {
    case: Case,
    processes: usize,
    /// Whether the first is in already.
    first_is_in: bool,
}

/// How an order went.
struct Played {
    /// A process ended before it came to where it was to stop: there is nothing further on.
    past_the_end: bool,
    checked: Checked,
    figures: Figures,
}

impl Scene {
    fn play(self, moves: &[Move]) -> Played {
        let place = Place::new(self.case);
        let mut processes: Vec<_> = (0..self.processes)
            .map(|_| Process::start(self.case, &place.path))
            .collect();
        let mut figures = Figures::default();
        let mut past_the_end = false;
        let first = self.first_is_in.then_some((0, Taken));
        let ends = (0..self.processes).map(|process| (process, End));
        for (process, to) in first.into_iter().chain(moves.iter().copied()).chain(ends) {
            let others = processes.iter().enumerate();
            let others_inside = others
                .filter(|(other, _)| *other != process)
                .any(|(_, other)| other.inside);
            let came = processes[process].go(to, others_inside);
            past_the_end |= !came && matches!(to, Calls(_));
        }
        processes
            .iter()
            .for_each(|process| figures += process.figures);
        let checked = check(figures.overlaps == 0, || "two were in".into())
            .and_then(|()| check(figures.holds > 0, || "nobody got in".into()))
            .and_then(|()| {
                processes
                    .into_iter()
                    .try_for_each(|process| process.checked)
            })
            .and_then(|()| place.check_free_but_for_names(false));
        Played {
            past_the_end,
            checked,
            figures,
        }
    }
}

/// Plays all orders of a kind, for every pair of places to stop at.
fn play_all(scenes: &[Scene], order: fn(usize, usize) -> Vec<Move>, what: &str) {
    /// More than anybody makes who does not go round and round.
    const CALLS: usize = 60;
    let tally = Tally::default();
    let jobs = scenes
        .iter()
        .flat_map(|&scene| (1..CALLS).map(move |first| (scene, first)));
    each(jobs, |(scene, first)| {
        for second in 1..CALLS {
            let moves = order(first, second);
            let played = scene.play(&moves);
            if let (Ok(()), true) = (&played.checked, played.past_the_end) {
                break;
            }
            let name = format!("{scene:?}, {moves:?}");
            tally.add(&name, played.figures, played.checked);
        }
    });
    tally.finish(what);
}

const fn scene(
    there: There,
    arguments: &'static str,
    processes: usize,
    first_is_in: bool,
) -> Scene {
    Scene {
        case: Case { there, arguments },
        processes,
        first_is_in,
    }
}

/// With and without a lock, over nothing and over what a dead process left.
const fn starts(processes: usize) -> [Scene; 7] {
    [
        scene(There::Nothing, "close", processes, false),
        scene(There::Stale, "close", processes, false),
        scene(There::Stale, "close --keep", processes, false),
        scene(There::Nothing, "close --settled", processes, false),
        scene(There::Stale, "close --settled", processes, false),
        scene(There::Nothing, "close --no-lock", processes, false),
        scene(There::Stale, "close --no-lock", processes, false),
    ]
}

const fn hand_overs(processes: usize) -> [Scene; 4] {
    [
        scene(There::Nothing, "close", processes, true),
        scene(There::Nothing, "close --keep", processes, true),
        scene(There::Nothing, "close --settled", processes, true),
        scene(There::Nothing, "close --no-lock", processes, true),
    ]
}

#[test]
fn two_starts_in_any_order() {
    let order = |i, j| vec![(0, Calls(i)), (1, Calls(j)), (0, End)];
    play_all(&starts(2), order, "two starts, call by call");
}

#[test]
fn an_end_and_a_start_in_any_order() {
    let order = |i, j| vec![(0, Calls(i)), (1, Calls(j)), (0, End)];
    play_all(&hand_overs(2), order, "a hand-over, call by call");
    let order = |i, j| vec![(1, Calls(i)), (0, Calls(j)), (1, End)];
    play_all(&hand_overs(2), order, "a hand-over, the start first");
}

/// The second stands between two calls while the first ends, and goes on before a third comes: who
/// locks, without a second look, the file that has just been removed lets the third in beside it.
#[test]
fn an_end_and_two_starts_in_any_order() {
    let order = |i, j| {
        vec![
            (0, Calls(i)),
            (1, Calls(j)),
            (0, End),
            (1, Taken),
            (2, Taken),
        ]
    };
    play_all(&hand_overs(3), order, "a hand-over to two, in turn");
    let order = |i, j| {
        vec![
            (0, Calls(i)),
            (1, Calls(j)),
            (2, Taken),
            (0, End),
            (1, Taken),
        ]
    };
    play_all(&hand_overs(3), order, "a hand-over to two, the last first");
}

/// The first takes a stale file over; where it first stands the second takes it, and where it
/// stands next that one ends and the third takes it.
#[test]
fn a_start_that_two_others_overtake() {
    let order = |i, j| {
        vec![
            (0, Calls(i)),
            (1, Taken),
            (0, Calls(j)),
            (1, End),
            (2, Taken),
            (0, Taken),
        ]
    };
    play_all(&starts(3), order, "a start that two overtake");
}
