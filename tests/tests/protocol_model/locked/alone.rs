//! Whatever happened before: who starts where nobody is in, gets in.

use std::collections::HashSet;

use super::state::{CLOSED, Child, Next, State};
use super::{Locked, PROCESSES};
use crate::search::{Model, Step};

/// How a file can be left, each way once.
pub(crate) struct Beginnings {
    protocol: Locked,
    all_killed: HashSet<State>,
    all_ended: HashSet<State>,
}

impl Beginnings {
    pub(crate) fn new(protocol: Locked) -> Self {
        Self {
            protocol,
            all_killed: HashSet::new(),
            all_ended: HashSet::new(),
        }
    }

    /// How this state leaves the file: if all are killed now, with their children; and if this is
    /// the end of all, and nobody was killed, with their children still there.
    pub(crate) fn gather(&mut self, state: &State) {
        let mut left = state.clone();
        left.onlooker = CLOSED;
        (left.kills, left.restarts, left.somebody_was_in) = (0, 1, false);
        let mut killed = left.clone();
        for who in 0..PROCESSES {
            killed.kill(who);
            killed.processes[who].child = Child::None;
            killed.processes[who].life = 1;
        }
        self.all_killed.insert(killed.in_normal_form());
        let whole = state.kills == self.protocol.kills && !self.protocol.numbers_repeat(state);
        let over = |next| matches!(next, Next::Start | Next::Ended | Next::Dead);
        if whole && state.somebody_was_in && state.processes.iter().all(|p| over(p.next)) {
            self.all_ended.insert(left.in_normal_form());
        }
    }
}

/// One start by itself after that.
pub(crate) struct Alone {
    pub(crate) who: usize,
    pub(crate) beginnings: Beginnings,
}

impl Model for Alone {
    type State = State;

    fn beginnings(&self) -> Vec<State> {
        let Beginnings {
            all_killed,
            all_ended,
            ..
        } = &self.beginnings;
        let mut beginnings = Vec::new();
        for state in all_killed.iter().chain(all_ended) {
            let mut state = state.clone();
            let process = &mut state.processes[self.who];
            if process.next == Next::Dead {
                process.life += 1;
            }
            process.next = Next::Open;
            beginnings.push(state);
        }
        beginnings
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step<State>>) {
        if state.processes[self.who].next != Next::Hold {
            let protocol = &self.beginnings.protocol;
            protocol.act(state, self.who, &mut |what, then| {
                steps.push(Step {
                    who: 'A',
                    what,
                    then: then.in_normal_form(),
                });
            });
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        match state.processes[self.who].next {
            Next::Ended => Some("refused, though nobody is in"),
            Next::ReadBusy => Some("waits, though nobody is in"),
            Next::UnlockGone => Some("goes round, though nobody is in"),
            _ => None,
        }
    }
}
