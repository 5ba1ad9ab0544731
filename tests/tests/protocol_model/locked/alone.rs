//! A start succeeds when no process holds the file, whatever earlier processes have left.

use std::collections::HashSet;

use super::state::{CLOSED, NO_FILE, Next, State, WriterNext};
use super::{Budget, Locked, PROCESSES};
use crate::search::{Model, Step};

/// More steps than any start needs, even one that replaces a file.
const STEPS: u8 = 24;

/// The states in which processes can leave the file, without duplicates.
pub(crate) struct Left {
    protocol: Locked,
    all_killed: HashSet<State>,
    all_ended: HashSet<State>,
}

impl Left {
    pub(crate) fn new(protocol: Locked) -> Self {
        Self {
            protocol,
            all_killed: HashSet::new(),
            all_ended: HashSet::new(),
        }
    }

    /// Adds the state that follows if all processes and their children are killed. If no process is
    /// starting, holding or releasing, also adds the state that follows if only the children and
    /// the writer exit.
    pub(crate) fn gather(&mut self, state: &State) {
        let mut left = state.clone();
        left.probe = CLOSED;
        left.budget = Budget {
            kills: 0,
            restarts: 0,
            forks: 0,
            failures: 0,
            lost_locks: 0,
            writers: 0,
        };
        left.a_process_was_in = false;
        left.end_children();
        left.writer.next = WriterNext::Dead;
        left.writer.file = NO_FILE;
        left.writer.settled = false;
        let mut killed = left.clone();
        for who in 0..PROCESSES {
            killed.kill(who);
            killed.processes[who].life = 1;
        }
        killed.writer.life = 1;
        self.all_killed.insert(killed.in_normal_form());
        let is_over = |next| {
            matches!(
                next,
                Next::Start | Next::Ended | Next::NotPermitted | Next::Dead
            )
        };
        let lost = state.budget.lost_locks != self.protocol.budget.lost_locks;
        if !state.numbers_repeat() && !lost && state.processes.iter().all(|p| is_over(p.next)) {
            self.all_ended.insert(left.in_normal_form());
        }
    }
}

/// One start in every state that [`Left`] has gathered.
pub(crate) struct Alone {
    pub(crate) who: usize,
    pub(crate) left: Left,
}

impl Model for Alone {
    /// The state, and the number of steps that the start has taken.
    type State = (State, u8);

    fn beginnings(&self) -> Vec<Self::State> {
        let Left {
            all_killed,
            all_ended,
            ..
        } = &self.left;
        let mut beginnings = Vec::new();
        for state in all_killed.iter().chain(all_ended) {
            let mut state = state.clone();
            let process = &mut state.processes[self.who];
            if process.next == Next::Dead {
                process.life += 1;
            }
            process.next = Next::Open;
            beginnings.push((state, 0));
        }
        beginnings
    }

    fn steps(&self, (state, taken): &Self::State, steps: &mut Vec<Step<Self::State>>) {
        if !matches!(
            state.processes[self.who].next,
            Next::Hold | Next::NotPermitted
        ) {
            let protocol = &self.left.protocol;
            protocol.act(state, self.who, false, &mut |what, then| {
                steps.push(Step {
                    who: 'A',
                    what,
                    then: (then.in_normal_form(), taken + 1),
                });
            });
        }
    }

    fn wrong(&self, (state, taken): &Self::State) -> Option<&'static str> {
        let protocol = &self.left.protocol;
        match state.processes[self.who].next {
            Next::Ended => Some("refused, though no process holds the file"),
            Next::ReadBusy => Some("waits, though no process holds the file"),
            Next::NotPermitted if protocol.may_unlink(state, self.who, state.path) => {
                Some("fails to unlink a file, though it has permission")
            }
            _ if *taken > STEPS => Some("retries for ever, though no process holds the file"),
            _ => None,
        }
    }
}
