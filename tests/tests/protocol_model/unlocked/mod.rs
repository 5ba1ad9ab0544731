//! The protocol without locks, `pidlock-core/src/unlocked.rs`, as steps that nothing can come
//! between: each is one system call. Up to three processes start, hold and give back; any may be
//! killed before any step, and have a successor with its number.
//!
//! Left out: errors of the system, files that are no pidfiles, and third parties that remove files.

mod alone;
mod state;

use crate::TWO_HOLDERS;
use crate::search::{Model, Step};
pub(crate) use alone::{Alone, Beginnings};
pub(crate) use state::PROCESSES;
use state::{LEVELS, NO_FILE, Next, State, Text, Why};

/// What is searched, and which checks of the protocol are taken out.
#[derive(Clone, Copy)]
pub(crate) struct Unlocked {
    pub(crate) processes: usize,
    /// How many may be killed.
    pub(crate) kills: u8,
    /// How many starts there may be beside the first of each process.
    pub(crate) restarts: u8,
    pub(crate) keep: bool,
    /// Taken out: before a stale name is replaced, the look whether it still stands for the file
    /// that was found stale.
    pub(crate) without_look_at_name: bool,
    /// Taken out: with the second name taken, the look whether the first one is still stale.
    pub(crate) without_second_look: bool,
    /// Taken out: the second name. A stale first one is replaced after a second look at it.
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
        (state.harm && self.is_whole()).then_some("a file of somebody else was removed or replaced")
    }
}

impl Unlocked {
    /// The next step of a process.
    fn act(&self, state: &State, who: usize, step: &mut dyn FnMut(&'static str, State)) {
        let process = state.processes[who];
        let me = Text::Process(who as u8);
        // The level of the topmost name that is its own or that it wants, once it has a private one.
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
            Next::Start => step("unlocked::acquire: starts", to(Next::Open(Why::First))),

            Next::Open(why) => {
                let level = if why == Why::First { 0 } else { top };
                let file = state.public[level];
                if file == NO_FILE {
                    let next = match why {
                        Why::First => Next::MakePrivate { again: false },
                        Why::Taken => Next::Link,
                        Why::Below => nothing_replaced,
                    };
                    return step("unlocked::look: open: nothing there", to(next));
                }
                let mut then = to(Next::Read(why));
                then.processes[who].open = file;
                step("unlocked::look: open", then);
            }
            Next::Read(why) => match state.text(process.open) {
                text if text == me || text == Text::Blank => {
                    let what = "unlocked::look: record::read: blank or a predecessor's, so stale";
                    step(what, self.stale(why, top, &to, &look_is_over));
                }
                other => {
                    let then = to(Next::AskWhetherItRuns(why, other));
                    step("unlocked::look: record::read: another's", then);
                }
            },
            Next::AskWhetherItRuns(why, Text::Process(other)) if state.is_alive(other) => {
                let next = match why {
                    Why::First => Next::Ended,
                    Why::Taken => Next::Refused,
                    Why::Below => nothing_replaced,
                };
                step("unlocked::look: is_alive: yes", look_is_over(next));
            }
            Next::AskWhetherItRuns(why, _) => {
                let then = self.stale(why, top, &to, &look_is_over);
                step("unlocked::look: is_alive: no, so stale", then);
            }

            Next::MakePrivate { again } => {
                let level = usize::from(process.levels);
                if state.private[who][level] != NO_FILE {
                    let next = if again {
                        Next::Refused
                    } else {
                        Next::OpenLeftOver
                    };
                    return step("Private::write: make: there is a left-over one", to(next));
                }
                let mut then = to(Next::WritePrivate);
                let file = then.make();
                then.private[who][level] = file;
                then.processes[who].files[level] = file;
                step("Private::write: make", then);
            }
            Next::OpenLeftOver => {
                let file = state.private[who][usize::from(process.levels)];
                if file == NO_FILE {
                    let then = to(Next::MakePrivate { again: true });
                    return step("unlocked::remove_private: open: gone", then);
                }
                let mut then = to(Next::ReadLeftOver);
                then.processes[who].open = file;
                step("unlocked::remove_private: open", then);
            }
            Next::ReadLeftOver => {
                let text = state.text(process.open);
                let next = if text == me || text == Text::Blank {
                    Next::RemoveLeftOver
                } else {
                    Next::MakePrivate { again: true }
                };
                step("unlocked::remove_private: read", look_is_over(next));
            }
            Next::RemoveLeftOver => {
                let mut then = to(Next::MakePrivate { again: true });
                then.private[who][usize::from(process.levels)] = NO_FILE;
                step("unlocked::remove_private: remove_file", then);
            }
            Next::WritePrivate => {
                let mut then = to(Next::Link);
                then.set_text(process.files[usize::from(process.levels)], me);
                then.processes[who].levels += 1;
                step("Private::write: Hold::write", then);
            }

            Next::Link if state.private[who][top] == NO_FILE => {
                let what = "Private::link: hard_link: the private name is gone";
                step(what, to(Next::DropPrivate));
            }
            Next::Link if state.public[top] == NO_FILE => {
                let mut then = to(Next::Pop);
                then.public[top] = state.private[who][top];
                step("Private::link: hard_link: its own", then);
            }
            Next::Link => {
                let what = "Private::link: hard_link: there is one";
                step(what, to(Next::LookWhoseItIs));
            }
            Next::LookWhoseItIs => {
                let next = if state.public[top] == process.files[top] {
                    Next::Pop
                } else {
                    Next::Open(Why::Taken)
                };
                step("Private::link: path_names", to(next));
            }
            Next::DropPrivate => {
                let mut then = to(Next::MakePrivate { again: false });
                then.private[who][top] = NO_FILE;
                then.processes[who].files[top] = NO_FILE;
                then.processes[who].levels -= 1;
                step("unlocked::take: away with what is left of it", then);
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
                step("unlocked::come_down: has the name", then);
            }
            Next::LookWhetherStillThere if state.public[top] == process.open => {
                let what = "unlocked::replace_if_still_stale: path_names: yes";
                step(what, look_is_over(Next::Replace));
            }
            Next::LookWhetherStillThere => {
                let what = "unlocked::replace_if_still_stale: path_names: no";
                let next = self.replaced(false);
                step(what, look_is_over(next));
            }
            Next::Replace => {
                let file = state.private[who][top];
                if file == NO_FILE {
                    let what = "unlocked::replace_if_still_stale: rename: its own is gone";
                    return step(what, to(self.replaced(false)));
                }
                let mut then = to(self.replaced(true));
                // Names of one file stay both (rename(2)).
                if state.public[top] != file {
                    then.public[top] = file;
                    then.private[who][top] = NO_FILE;
                }
                step("unlocked::replace_if_still_stale: rename", then);
            }
            Next::LookAtTop { replaced } => {
                let next = if state.public[top + 1] == process.files[top + 1] {
                    Next::RemoveTop { replaced }
                } else {
                    Next::DropTop { replaced }
                };
                step("unlocked::come_down: path_names", to(next));
            }
            Next::RemoveTop { replaced } => {
                let mut then = to(Next::DropTop { replaced });
                then.public[top + 1] = NO_FILE;
                step("unlocked::come_down: remove_file", then);
            }
            Next::DropTop { replaced } => {
                let mut then = to(if replaced { Next::Pop } else { Next::Link });
                then.private[who][top + 1] = NO_FILE;
                then.processes[who].files[top + 1] = NO_FILE;
                step("unlocked::come_down: drops the private name above", then);
            }
            Next::DropLast => {
                let mut then = to(Next::Sweep(0));
                then.private[who][0] = NO_FILE;
                step("unlocked::come_down: drops its private name", then);
            }

            Next::Sweep(from) => self.sweep(state, who, from, step),
            Next::OpenSwept(at) => {
                let (number, level) = place(at);
                let file = state.private[number][level];
                if file == NO_FILE {
                    let then = to(Next::Sweep(at + 1));
                    return step("unlocked::remove_private: open: gone", then);
                }
                let mut then = to(Next::ReadSwept(at));
                then.processes[who].open = file;
                step("unlocked::remove_private: open", then);
            }
            Next::ReadSwept(at) => {
                let text = state.text(process.open);
                let left_over = text == Text::Blank || text == Text::Process(place(at).0 as u8);
                let next = if left_over {
                    Next::RemoveSwept(at)
                } else {
                    Next::Sweep(at + 1)
                };
                step("unlocked::remove_private: read", look_is_over(next));
            }
            Next::RemoveSwept(at) => {
                let mut then = to(Next::Sweep(at + 1));
                let (number, level) = place(at);
                then.private[number][level] = NO_FILE;
                step("unlocked::remove_private: remove_file", then);
            }

            Next::Hold => step("its guard is dropped", to(Next::LookAtRelease)),
            Next::LookAtRelease if state.public[0] != process.files[0] => {
                let mut then = state.clone();
                then.harm = true;
                then.end(who, Next::Ended);
                step("Hold::give_back: identify_path: replaced", then);
            }
            Next::LookAtRelease => {
                step("Hold::give_back: identify_path: its own", to(Next::Remove));
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
                let removes = "Hold::remove: remove_file";
                step(if self.keep { "hold::empty" } else { removes }, then);
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
                step("unlocked::take: refused, drops its private names", then);
            }
            Next::Ended | Next::Dead if state.restarts > 0 => {
                let mut then = to(Next::Open(Why::First));
                then.restarts -= 1;
                step(
                    "unlocked::acquire: starts, with a number that was in use",
                    then,
                );
            }
            Next::Ended | Next::Dead => {}
        }
    }

    /// What follows a look that found a stale name. The file stays open where it is looked at again.
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
                assert!(top + 1 < LEVELS, "more levels than are ever reached");
                look_is_over(Next::MakePrivate { again: false })
            }
            Why::Below if self.without_look_at_name => look_is_over(Next::Replace),
            Why::Below => to(Next::LookWhetherStillThere),
        }
    }

    /// What follows the attempt to replace a stale name.
    fn replaced(&self, replaced: bool) -> Next {
        if self.without_second_name {
            return if replaced { Next::Pop } else { Next::Link };
        }
        Next::LookAtTop { replaced }
    }

    /// Looks for what other processes left, one private name after the other.
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
            None => ("unlocked::sweep: is in", Next::Hold),
            Some(at) if place(at).0 != who && state.is_alive(place(at).0 as u8) => {
                ("unlocked::sweep: is_alive: yes", Next::Sweep(at + 1))
            }
            Some(at) => ("unlocked::sweep: a dead process's", Next::OpenSwept(at)),
        };
        then.processes[who].next = next;
        if next == Next::Hold {
            then.harm |= state.public[0] != state.processes[who].files[0];
        }
        step(what, then);
    }
}

/// The number and the level in a private name.
fn place(at: u8) -> (usize, usize) {
    (usize::from(at) / LEVELS, usize::from(at) % LEVELS)
}
