//! Model of the protocol without locks, `pidlock-core/src/protocol/lockless.rs`. Each step is
//! atomic and stands for one system call. Up to three processes start, hold and release. Each of
//! them can be killed before any step, and have a successor with its PID.
//!
//! Not modelled: system errors, files that are not pidfiles, and third parties that remove files.

mod alone;
mod state;

use crate::TWO_HOLDERS;
use crate::search::{Model, Step};
pub(crate) use alone::{Alone, Beginnings};
pub(crate) use state::PROCESSES;
use state::{LEVELS, NO_FILE, Next, State, Text, Why};

/// What is searched, and which checks of the protocol are switched off.
#[derive(Clone, Copy)]
pub(crate) struct Unlocked {
    pub(crate) processes: usize,
    /// How many processes can be killed.
    pub(crate) kills: u8,
    /// How many starts there can be besides the first of each process.
    pub(crate) restarts: u8,
    pub(crate) keep: bool,
    /// Switched off: the check that a stale name still refers to the file that was found stale,
    /// before the name is replaced.
    pub(crate) without_look_at_name: bool,
    /// Switched off: the second inspection of a stale name, after the next level's name is taken.
    pub(crate) without_second_look: bool,
    /// Switched off: the next level's name. A stale name is replaced after a second inspection.
    pub(crate) without_second_name: bool,
}

impl Unlocked {
    fn is_whole(&self) -> bool {
        !(self.without_look_at_name || self.without_second_look || self.without_second_name)
    }
}

impl Model for Unlocked {
    type State = State;

    fn beginnings(&self) -> Vec<State> {
        [false, true]
            .map(|stale| State::new(stale, self.kills, self.restarts))
            .into()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step<State>>) {
        for who in 0..self.processes {
            let mut step = |what, then: State| {
                steps.push(Step {
                    who: char::from(b'A' + who as u8),
                    what,
                    then: then.in_normal_form(),
                });
            };
            self.act(state, who, &mut step);
            if state.kills > 0 && state.is_alive(who as u8) {
                let mut then = state.clone();
                then.kills -= 1;
                then.end(who, Next::Dead);
                step("is killed", then);
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if state.holders() > 1 {
            return Some(TWO_HOLDERS);
        }
        (state.harm && self.is_whole())
            .then_some("the file of another process was removed or replaced")
    }
}

impl Unlocked {
    /// Adds the next step of a process.
    fn act(&self, state: &State, who: usize, step: &mut dyn FnMut(&'static str, State)) {
        let process = state.processes[who];
        let me = Text::Process(who as u8);
        // The level of the topmost staging file. The process has taken the name at this level, or
        // tries to.
        let top = usize::from(process.levels).wrapping_sub(1);
        let to = |next| {
            let mut then = state.clone();
            then.processes[who].next = next;
            then
        };
        let look_is_over = |next| {
            let mut then = to(next);
            then.processes[who].open = NO_FILE;
            then
        };
        let nothing_replaced = self.replaced(false);
        match process.next {
            Next::Start => step("lockless::acquire: starts", to(Next::Open(Why::First))),

            Next::Open(why) => {
                let level = if why == Why::First { 0 } else { top };
                let file = state.public[level];
                if file == NO_FILE {
                    let next = match why {
                        Why::First => Next::MakePrivate { again: false },
                        Why::Taken => Next::Link,
                        Why::Below => nothing_replaced,
                    };
                    return step("lockless::inspect: open: no file", to(next));
                }
                let mut then = to(Next::Read(why));
                then.processes[who].open = file;
                step("lockless::inspect: open", then);
            }
            Next::Read(why) => match state.text(process.open) {
                text if text == me || text == Text::Blank => {
                    let what = "lockless::inspect: read: blank or own PID, so stale";
                    step(what, self.stale(why, top, &to, &look_is_over));
                }
                other => {
                    let then = to(Next::AskWhetherItRuns(why, other));
                    step("lockless::inspect: read: another PID", then);
                }
            },
            Next::AskWhetherItRuns(why, Text::Process(other)) if state.is_alive(other) => {
                let next = match why {
                    Why::First => Next::Ended,
                    Why::Taken => Next::Refused,
                    Why::Below => nothing_replaced,
                };
                step("lockless::inspect: is_alive: yes", look_is_over(next));
            }
            Next::AskWhetherItRuns(why, _) => {
                let then = self.stale(why, top, &to, &look_is_over);
                step("lockless::inspect: is_alive: no, so stale", then);
            }

            Next::MakePrivate { again } => {
                let level = usize::from(process.levels);
                if state.private[who][level] != NO_FILE {
                    let next = if again {
                        Next::Refused
                    } else {
                        Next::OpenLeftOver
                    };
                    return step("lockless::stage: create: an orphan exists", to(next));
                }
                let mut then = to(Next::WritePrivate);
                let file = then.make();
                then.private[who][level] = file;
                then.processes[who].files[level] = file;
                step("lockless::stage: create", then);
            }
            Next::OpenLeftOver => {
                let file = state.private[who][usize::from(process.levels)];
                if file == NO_FILE {
                    let then = to(Next::MakePrivate { again: true });
                    return step("lockless::remove_orphan: open: no file", then);
                }
                let mut then = to(Next::ReadLeftOver);
                then.processes[who].open = file;
                step("lockless::remove_orphan: open", then);
            }
            Next::ReadLeftOver => {
                let text = state.text(process.open);
                let next = if text == me || text == Text::Blank {
                    Next::RemoveLeftOver
                } else {
                    Next::MakePrivate { again: true }
                };
                step("lockless::remove_orphan: read", look_is_over(next));
            }
            Next::RemoveLeftOver => {
                let mut then = to(Next::MakePrivate { again: true });
                then.private[who][usize::from(process.levels)] = NO_FILE;
                step("lockless::remove_orphan: unlink", then);
            }
            Next::WritePrivate => {
                let mut then = to(Next::Link);
                then.set_text(process.files[usize::from(process.levels)], me);
                then.processes[who].levels += 1;
                step("lockless::stage: record::write", then);
            }

            Next::Link if state.private[who][top] == NO_FILE => {
                let what = "lockless::link: hard_link: the staging file is gone";
                step(what, to(Next::DropPrivate));
            }
            Next::Link if state.public[top] == NO_FILE => {
                let mut then = to(Next::Pop);
                then.public[top] = state.private[who][top];
                step("lockless::link: hard_link: taken", then);
            }
            Next::Link => {
                let what = "lockless::link: hard_link: occupied";
                step(what, to(Next::LookWhoseItIs));
            }
            Next::LookWhoseItIs => {
                let next = if state.public[top] == process.files[top] {
                    Next::Pop
                } else {
                    Next::Open(Why::Taken)
                };
                step("lockless::link: path_refers_to", to(next));
            }
            Next::DropPrivate => {
                let mut then = to(Next::MakePrivate { again: false });
                then.private[who][top] = NO_FILE;
                then.processes[who].files[top] = NO_FILE;
                then.processes[who].levels -= 1;
                step("lockless::climb: drop the staging file", then);
            }

            Next::Pop => {
                let mut then = to(if top == 0 {
                    Next::DropLast
                } else if self.without_second_look {
                    Next::Replace
                } else {
                    Next::Open(Why::Below)
                });
                then.processes[who].levels -= 1;
                step("lockless::descend: the name is taken", then);
            }
            Next::LookWhetherStillThere if state.public[top] == process.open => {
                let what = "lockless::replace_if_stale: path_refers_to: yes";
                step(what, look_is_over(Next::Replace));
            }
            Next::LookWhetherStillThere => {
                let what = "lockless::replace_if_stale: path_refers_to: no";
                let next = self.replaced(false);
                step(what, look_is_over(next));
            }
            Next::Replace => {
                let file = state.private[who][top];
                if file == NO_FILE {
                    let what = "lockless::replace_if_stale: rename: the staging file is gone";
                    return step(what, to(self.replaced(false)));
                }
                let mut then = to(self.replaced(true));
                // If both names refer to the same file, rename(2) does nothing.
                if state.public[top] != file {
                    then.public[top] = file;
                    then.private[who][top] = NO_FILE;
                }
                step("lockless::replace_if_stale: rename", then);
            }
            Next::LookAtTop { replaced } => {
                let next = if state.public[top + 1] == process.files[top + 1] {
                    Next::RemoveTop { replaced }
                } else {
                    Next::DropTop { replaced }
                };
                step("lockless::descend: path_refers_to", to(next));
            }
            Next::RemoveTop { replaced } => {
                let mut then = to(Next::DropTop { replaced });
                then.public[top + 1] = NO_FILE;
                step("lockless::descend: unlink", then);
            }
            Next::DropTop { replaced } => {
                let mut then = to(if replaced { Next::Pop } else { Next::Link });
                then.private[who][top + 1] = NO_FILE;
                then.processes[who].files[top + 1] = NO_FILE;
                step("lockless::descend: drop the staging file above", then);
            }
            Next::DropLast => {
                let mut then = to(Next::Sweep(0));
                then.private[who][0] = NO_FILE;
                step("lockless::descend: drop the last staging file", then);
            }

            Next::Sweep(from) => self.sweep(state, who, from, step),
            Next::OpenSwept(at) => {
                let (number, level) = place(at);
                let file = state.private[number][level];
                if file == NO_FILE {
                    let then = to(Next::Sweep(at + 1));
                    return step("lockless::remove_orphan: open: no file", then);
                }
                let mut then = to(Next::ReadSwept(at));
                then.processes[who].open = file;
                step("lockless::remove_orphan: open", then);
            }
            Next::ReadSwept(at) => {
                let text = state.text(process.open);
                let left_over = text == Text::Blank || text == Text::Process(place(at).0 as u8);
                let next = if left_over {
                    Next::RemoveSwept(at)
                } else {
                    Next::Sweep(at + 1)
                };
                step("lockless::remove_orphan: read", look_is_over(next));
            }
            Next::RemoveSwept(at) => {
                let mut then = to(Next::Sweep(at + 1));
                let (number, level) = place(at);
                then.private[number][level] = NO_FILE;
                step("lockless::remove_orphan: unlink", then);
            }

            Next::Hold => step("the guard is dropped", to(Next::LookAtRelease)),
            Next::LookAtRelease if state.public[0] != process.files[0] => {
                let mut then = state.clone();
                then.harm = true;
                then.end(who, Next::Ended);
                step("HeldFile::release: path_refers_to: no", then);
            }
            Next::LookAtRelease => {
                step("HeldFile::release: path_refers_to: yes", to(Next::Remove));
            }
            Next::Remove => {
                let mut then = state.clone();
                then.harm |= state.public[0] != process.files[0];
                if self.keep {
                    then.set_text(process.files[0], Text::Blank);
                } else {
                    then.public[0] = NO_FILE;
                }
                then.end(who, Next::Ended);
                let removes = "held::unlink";
                step(if self.keep { "held::truncate" } else { removes }, then);
            }
            Next::Refused => {
                let left = (0..LEVELS).find(|&level| process.files[level] != NO_FILE);
                let mut then = state.clone();
                match left {
                    Some(level) => {
                        then.private[who][level] = NO_FILE;
                        then.processes[who].files[level] = NO_FILE;
                    }
                    None => then.end(who, Next::Ended),
                }
                step("lockless::climb: refused, drops a staging file", then);
            }
            Next::Ended | Next::Dead if state.restarts > 0 => {
                let mut then = to(Next::Open(Why::First));
                then.restarts -= 1;
                step("lockless::acquire: starts, with a reused PID", then);
            }
            Next::Ended | Next::Dead => {}
        }
    }

    /// Returns the state after a name was found stale. Its file stays open if the path is checked
    /// next.
    fn stale(
        &self,
        why: Why,
        top: usize,
        to: &dyn Fn(Next) -> State,
        look_is_over: &dyn Fn(Next) -> State,
    ) -> State {
        match why {
            Why::First => look_is_over(Next::MakePrivate { again: false }),
            Why::Taken if self.without_second_name => look_is_over(Next::Open(Why::Below)),
            Why::Taken => {
                assert!(top + 1 < LEVELS, "LEVELS is large enough");
                look_is_over(Next::MakePrivate { again: false })
            }
            Why::Below if self.without_look_at_name => look_is_over(Next::Replace),
            Why::Below => to(Next::LookWhetherStillThere),
        }
    }

    /// Returns the step after the attempt to replace a stale name.
    fn replaced(&self, replaced: bool) -> Next {
        if self.without_second_name {
            return if replaced { Next::Pop } else { Next::Link };
        }
        Next::LookAtTop { replaced }
    }

    /// Checks the next staging file that exists. Without one, the process holds the pidfile.
    fn sweep(
        &self,
        state: &State,
        who: usize,
        from: u8,
        step: &mut dyn FnMut(&'static str, State),
    ) {
        let is_there = |at: &u8| {
            let (number, level) = place(*at);
            state.private[number][level] != NO_FILE
        };
        let found = (from..(PROCESSES * LEVELS) as u8).find(is_there);
        let mut then = state.clone();
        let (what, next) = match found {
            None => ("lockless::remove_orphans: done", Next::Hold),
            Some(at) if place(at).0 != who && state.is_alive(place(at).0 as u8) => {
                ("lockless::remove_orphans: alive", Next::Sweep(at + 1))
            }
            Some(at) => ("lockless::remove_orphans: own or dead", Next::OpenSwept(at)),
        };
        then.processes[who].next = next;
        if next == Next::Hold {
            then.harm |= state.public[0] != state.processes[who].files[0];
        }
        step(what, then);
    }
}

/// Splits the index of a staging file into its process and its level.
fn place(at: u8) -> (usize, usize) {
    (usize::from(at) / LEVELS, usize::from(at) % LEVELS)
}
