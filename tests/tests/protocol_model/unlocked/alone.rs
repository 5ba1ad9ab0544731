//! A start succeeds when all other processes are dead, whatever they have left, and removes their
//! staging files.

use std::collections::HashSet;

use super::Unlocked;
use super::state::{Next, PROCESSES, State, Why};
use crate::search::{Model, Step};

/// The states in which the files can be after all processes are killed at once, without duplicates.
pub(crate) struct Beginnings {
    protocol: Unlocked,
    killed: HashSet<State>,
}

impl Beginnings {
    pub(crate) fn new(protocol: Unlocked) -> Self {
        Self {
            protocol,
            killed: HashSet::new(),
        }
    }

    pub(crate) fn gather(&mut self, state: &State) {
        let mut left = state.clone();
        (left.kills, left.restarts) = (0, 0);
        for who in 0..PROCESSES {
            left.end(who, Next::Dead);
        }
        self.killed.insert(left.in_normal_form());
    }
}

/// One start after all processes are killed.
pub(crate) struct Alone {
    pub(crate) who: usize,
    pub(crate) beginnings: Beginnings,
}

impl Model for Alone {
    type State = State;

    fn beginnings(&self) -> Vec<State> {
        let start = |state: &State| {
            let mut state = state.clone();
            state.processes[self.who].next = Next::Open(Why::First);
            state
        };
        self.beginnings.killed.iter().map(start).collect()
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
        let next = state.processes[self.who].next;
        if matches!(next, Next::Ended | Next::Refused) {
            return Some("refused, though no process holds the file");
        }
        let mut private = state.private.iter().flatten();
        let cleared = private.all(|&file| file == super::NO_FILE);
        (next == Next::Hold && !cleared).then_some("staging files are left over")
    }
}
