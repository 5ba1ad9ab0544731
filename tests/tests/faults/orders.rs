//! Interleavings of several processes. Each process is traced, and is stopped at a chosen system
//! call while others run. So no result depends on timing.

use std::path::Path;

use pidlock_tests::length::by_length;
use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::{Case, Initial};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_shared};
use super::tally::Tally;

/// How far a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// Stops before the call with this number, counted from 1 among the calls on shared state. The
    /// test chooses the number.
    Calls(usize),
    /// Stops before the next call on shared state.
    OneCall,
    /// Stops when it has acquired the file or was refused.
    Taken,
    End,
}
use To::{Calls, End, OneCall, Taken};

/// The index of a process, and how far it runs.
type Move = (usize, To);

struct Process {
    case: Case,
    run: Run,
    inside: bool,
    ended: bool,
    checked: Checked,
    figures: Figures,
}

/// A process that makes this many calls is in an endless loop.
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

    /// Runs the process; `false` if it exits before it reaches `to`. `others_inside` is `true` if
    /// another process, which is stopped meanwhile, holds the file.
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
            // A stopped holder that continues releases the file, so it does not count as inside.
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
        self.expect(false, "endless loop");
        false
    }

    fn expect(&mut self, fine: bool, line: &str) {
        if self.checked.is_ok() {
            self.checked = check(fine, || format!("unexpected: {line:?}"));
        }
    }
}

/// The processes of an order, and their state before its first move.
#[derive(Debug, Clone, Copy)]
struct Scene {
    case: Case,
    processes: usize,
    /// `true` if the first process holds the file.
    first_is_in: bool,
}

/// The outcome of an order.
struct Played {
    /// The index of the first stop that its process did not reach, because the process exited
    /// before. Larger values of this stop need no test.
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
        let checked = check(figures.overlaps == 0, || "two holders at once".into())
            .and_then(|()| check(figures.holds > 0, || "no process acquired the file".into()))
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

/// Returns the moves of an order for the chosen stops, which are the numbers in its `Calls`.
type Order = fn(&[usize]) -> Vec<Move>;

impl Scene {
    /// More calls on shared state than a process makes, unless it waits.
    fn most_calls(self) -> usize {
        if self.case.locks() { 20 } else { 60 }
    }

    /// Plays an order with the stops in `places` and every choice of the remaining stops. If a
    /// process does not reach one of the stops in `places`, returns the index of that stop.
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
        for place in (0..self.most_calls()).step_by(by_length(3, 1)) {
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

/// Plays an order with every choice of its stops.
fn play_all(scenes: &[Scene], stops: usize, order: Order, what: &str) {
    let tally = Tally::default();
    let jobs = scenes.iter().flat_map(|&scene| {
        let places = (0..scene.most_calls()).step_by(by_length(3, 1));
        places.map(move |first| (scene, first))
    });
    each(jobs, |(scene, first)| {
        scene.play_from(order, stops, &mut vec![first], &tally);
    });
    tally.finish(what);
}

const fn scene(
    initial: Initial,
    arguments: &'static str,
    processes: usize,
    first_is_in: bool,
) -> Scene {
    Scene {
        case: Case { initial, arguments },
        processes,
        first_is_in,
    }
}

/// Starts with and without a lock, at a free path and at a stale file.
const fn starts(processes: usize) -> [Scene; 5] {
    [
        scene(Initial::Nothing, "close", processes, false),
        scene(Initial::Stale, "close", processes, false),
        scene(Initial::Stale, "close --keep", processes, false),
        scene(Initial::Nothing, "close --no-lock", processes, false),
        scene(Initial::Stale, "close --no-lock", processes, false),
    ]
}

const fn hand_overs(processes: usize) -> [Scene; 3] {
    [
        scene(Initial::Nothing, "close", processes, true),
        scene(Initial::Nothing, "close --keep", processes, true),
        scene(Initial::Nothing, "close --no-lock", processes, true),
    ]
}

#[test]
fn two_starts_in_any_order_make_one_holder() {
    let order: Order = |at| vec![(0, Calls(at[0])), (1, Calls(at[1])), (0, End)];
    play_all(&starts(2), 2, order, "two starts, call by call");
}

/// The first process is stopped twice, and the second process once in between.
#[test]
fn two_starts_in_alternating_parts_make_one_holder() {
    let order: Order = |at| {
        vec![
            (0, Calls(at[0])),
            (1, Calls(at[1])),
            (0, Calls(at[2])),
            (1, End),
        ]
    };
    let scenes = [
        scene(Initial::Stale, "close", 2, false),
        scene(Initial::Nothing, "close", 2, false),
    ];
    play_all(&scenes, 3, order, "two starts, part by part");
}

/// Tries every interleaving of a release and a start: before each call of the release, the start
/// runs to every possible stop.
#[test]
fn release_and_start_in_any_order_make_one_holder() {
    /// The calls of `PidGuard::verify`, which precedes the release and changes nothing.
    const VERIFY: [Move; 2] = [(0, OneCall); 2];
    let order: Order = |at| {
        let parts = at.iter().flat_map(|&part| [(0, OneCall), (1, Calls(part))]);
        VERIFY.into_iter().chain(parts).chain([(0, End)]).collect()
    };
    for scene in hand_overs(2) {
        let calls = match scene.case {
            // lstat, unlink.
            case if !case.locks() => 2,
            // With `keep`: flock, lstat, ftruncate, flock (unlock). Closing the file then changes
            // nothing. Otherwise: flock, lstat, unlink, close.
            _ => 4,
        };
        play_all(&[scene], calls, order, "a hand-over, call by call");
    }
}

/// The second process is stopped between two calls while the first process releases the file. If
/// the second process then locked the removed file without checking the path again, a third process
/// could hold a new file at the same time.
#[test]
fn release_and_two_starts_in_any_order_make_one_holder() {
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

/// The first process begins to acquire the file. At its first stop, the second process acquires the
/// file. At its second stop, the second process exits and the third process acquires the file.
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
