//! The order of things: several processes, each led from call to call, so that every one stands
//! where it is put while others go on. No clock decides what meets what.

use std::path::Path;

use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::{Case, There};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_shared};
use super::tally::Tally;

/// How far a process goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// So many calls that others can see, or be seen by: a number that is chosen.
    Calls(usize),
    OneCall,
    /// Until it is in, or was refused.
    Taken,
    End,
}
use To::{Calls, End, OneCall, Taken};

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
        if to == Calls(0) {
            return true;
        }
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
                    if to == Calls(calls) || to == OneCall {
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
                    if to == Taken || to == Calls(calls) || to == OneCall {
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
    /// The first stop that its process did not live to see: there is nothing further on.
    past_the_end: Option<usize>,
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
        let (mut stop, mut past_the_end) = (0, None);
        if self.first_is_in {
            processes[0].go(Taken, false);
        }
        let ends = (0..self.processes).map(|process| (process, End));
        for (process, to) in moves.iter().copied().chain(ends) {
            let others = processes.iter().enumerate();
            let others_inside = others
                .filter(|(other, _)| *other != process)
                .any(|(_, other)| other.inside);
            let came = processes[process].go(to, others_inside);
            if matches!(to, Calls(_)) {
                if !came {
                    past_the_end.get_or_insert(stop);
                }
                stop += 1;
            }
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

/// Who goes, and how far: to the first place to stop at that is chosen, the second, and so on.
type Order = fn(&[usize]) -> Vec<Move>;

impl Scene {
    /// More calls than it makes, unless it waits.
    fn most_calls(self) -> usize {
        if self.case.locks() { 20 } else { 60 }
    }

    /// With the first places chosen, every choice of the others. Says which of these a process did not
    /// get to, where that was so for one of the first.
    fn play_from(
        self,
        order: Order,
        stops: usize,
        places: &mut Vec<usize>,
        tally: &Tally,
    ) -> Option<usize> {
        let chosen = places.len();
        if chosen == stops {
            let moves = order(places);
            let played = self.play(&moves);
            if played.checked.is_err() || played.past_the_end.is_none() {
                let what = format!("{self:?}, {moves:?}");
                tally.add(&what, played.figures, played.checked);
            }
            return played.past_the_end;
        }
        for place in 0..self.most_calls() {
            places.push(place);
            let past_the_end = self.play_from(order, stops, places, tally);
            places.pop();
            match past_the_end {
                Some(stop) if stop < chosen => return past_the_end,
                Some(stop) if stop == chosen => break,
                _ => {}
            }
        }
        None
    }
}

/// Plays an order with every choice of so many places to stop at.
fn play_all(scenes: &[Scene], stops: usize, order: Order, what: &str) {
    let tally = Tally::default();
    let jobs = scenes
        .iter()
        .flat_map(|&scene| (0..scene.most_calls()).map(move |first| (scene, first)));
    each(jobs, |(scene, first)| {
        scene.play_from(order, stops, &mut vec![first], &tally);
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
const fn starts(processes: usize) -> [Scene; 5] {
    [
        scene(There::Nothing, "close", processes, false),
        scene(There::Stale, "close", processes, false),
        scene(There::Stale, "close --keep", processes, false),
        scene(There::Nothing, "close --no-lock", processes, false),
        scene(There::Stale, "close --no-lock", processes, false),
    ]
}

const fn hand_overs(processes: usize) -> [Scene; 3] {
    [
        scene(There::Nothing, "close", processes, true),
        scene(There::Nothing, "close --keep", processes, true),
        scene(There::Nothing, "close --no-lock", processes, true),
    ]
}

#[test]
fn two_starts_in_any_order() {
    let order: Order = |at| vec![(0, Calls(at[0])), (1, Calls(at[1])), (0, End)];
    play_all(&starts(2), 2, order, "two starts, call by call");
}

/// The first stands still twice, and the other once in between.
#[test]
fn two_starts_in_any_order_of_their_parts() {
    let order: Order = |at| {
        vec![
            (0, Calls(at[0])),
            (1, Calls(at[1])),
            (0, Calls(at[2])),
            (1, End),
        ]
    };
    let scenes = [
        scene(There::Stale, "close", 2, false),
        scene(There::Nothing, "close", 2, false),
    ];
    play_all(&scenes, 3, order, "two starts, part by part");
}

/// Every order that there is: how far the start comes before each call of the release.
#[test]
fn an_end_and_a_start_in_any_order() {
    /// Those of `PidGuard::verify`, which comes first and changes nothing.
    const VERIFY: [Move; 2] = [(0, OneCall); 2];
    let order: Order = |at| {
        let parts = at.iter().flat_map(|&part| [(0, OneCall), (1, Calls(part))]);
        VERIFY.into_iter().chain(parts).chain([(0, End)]).collect()
    };
    for scene in hand_overs(2) {
        let calls = match scene.case {
            // lstat, unlink.
            case if !case.locks() => 2,
            // flock, lstat, ftruncate, flock (unlock), close.
            case if case.keeps() => 5,
            // flock, lstat, unlink, close.
            _ => 4,
        };
        play_all(&[scene], calls, order, "a hand-over, call by call");
    }
}

/// The second stands between two calls while the first ends, and goes on before a third comes: who
/// locks, without a second look, the file that has just been removed lets the third in beside it.
#[test]
fn an_end_and_two_starts_in_any_order() {
    let order: Order = |at| {
        vec![
            (0, Calls(at[0])),
            (1, Calls(at[1])),
            (0, End),
            (1, Taken),
            (2, Taken),
        ]
    };
    play_all(&hand_overs(3), 2, order, "a hand-over to two, in turn");
    let order: Order = |at| {
        vec![
            (0, Calls(at[0])),
            (1, Calls(at[1])),
            (2, Taken),
            (0, End),
            (1, Taken),
        ]
    };
    play_all(
        &hand_overs(3),
        2,
        order,
        "a hand-over to two, the last first",
    );
}

/// The first takes a stale file over; where it first stands the second takes it, and where it
/// stands next that one ends and the third takes it.
#[test]
fn start_overtaken_twice_still_succeeds() {
    let order: Order = |at| {
        vec![
            (0, Calls(at[0])),
            (1, Taken),
            (0, Calls(at[1])),
            (1, End),
            (2, Taken),
            (0, Taken),
        ]
    };
    play_all(&starts(3), 2, order, "a start that two overtake");
}
