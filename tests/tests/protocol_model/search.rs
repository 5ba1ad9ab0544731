//! Breadth-first search through all states of a model, so that the first violation that it finds
//! has a shortest trace.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A model, in which one process takes one step at a time.
pub(crate) trait Model {
    type State: Clone + Eq + Hash;

    /// Returns the initial states.
    fn beginnings(&self) -> Vec<Self::State>;

    /// Adds every step that is possible in this state.
    fn steps(&self, state: &Self::State, steps: &mut Vec<Step<Self::State>>);

    /// Returns what is wrong with this state, if anything.
    fn wrong(&self, state: &Self::State) -> Option<&'static str>;
}

/// One step: the process, the function of the core that the step belongs to, and the resulting
/// state.
pub(crate) struct Step<S> {
    pub(crate) who: char,
    pub(crate) what: &'static str,
    pub(crate) then: S,
}

/// The result of a search.
pub(crate) struct Searched {
    pub(crate) states: usize,
    /// The first violation, and the steps that lead to it.
    pub(crate) wrong: Option<(&'static str, Vec<String>)>,
}

impl Searched {
    /// Returns the number of states. Panics if one is wrong.
    pub(crate) fn all_right(self, what: &str) -> usize {
        if let Some((wrong, trace)) = self.wrong {
            panic!("{what}: {wrong}:\n{}", trace.join("\n"));
        }
        println!("{what}: {} states", self.states);
        self.states
    }

    /// Returns the steps to the violation. Panics if it is not the expected one.
    pub(crate) fn trace_to(self, expected: &str, what: &str) -> Vec<String> {
        let (wrong, trace) = self
            .wrong
            .unwrap_or_else(|| panic!("{what}: nothing wrong in {} states", self.states));
        assert_eq!(wrong, expected, "{what}:\n{}", trace.join("\n"));
        println!("{what}: {wrong}, after these steps:\n{}", trace.join("\n"));
        trace
    }
}

/// Visits all states up to the first wrong one, and calls `show` with each.
pub(crate) fn search<M: Model>(model: &M, mut show: impl FnMut(&M::State)) -> Searched {
    let beginnings = model.beginnings();
    let mut seen: HashSet<M::State> = HashSet::new();
    // For each state, in the order of discovery: its predecessor, and the index of the step from
    // there.
    let mut origins: Vec<(u32, u32)> = Vec::new();
    let mut queue: VecDeque<M::State> = VecDeque::new();
    for (n, state) in beginnings.iter().enumerate() {
        if seen.insert(state.clone()) {
            origins.push((NO_ORIGIN, n as u32));
            queue.push_back(state.clone());
        }
    }
    let mut steps = Vec::new();
    let mut current: u32 = 0;
    while let Some(state) = queue.pop_front() {
        if let Some(wrong) = model.wrong(&state) {
            return Searched {
                states: origins.len(),
                wrong: Some((wrong, retrace(model, &beginnings, &origins, current))),
            };
        }
        show(&state);
        model.steps(&state, &mut steps);
        for (n, step) in steps.drain(..).enumerate() {
            if seen.insert(step.then.clone()) {
                origins.push((current, n as u32));
                queue.push_back(step.then);
            }
        }
        current += 1;
    }
    Searched {
        states: origins.len(),
        wrong: None,
    }
}

const NO_ORIGIN: u32 = u32::MAX;

/// Takes the steps to a state again, and returns their descriptions.
fn retrace<M: Model>(
    model: &M,
    beginnings: &[M::State],
    origins: &[(u32, u32)],
    to: u32,
) -> Vec<String> {
    let mut way = Vec::new();
    let mut at = to;
    let mut state = loop {
        let (before, n) = origins[at as usize];
        if before == NO_ORIGIN {
            break beginnings[n as usize].clone();
        }
        way.push(n);
        at = before;
    };
    let mut trace = Vec::new();
    let mut steps = Vec::new();
    for n in way.into_iter().rev() {
        steps.clear();
        model.steps(&state, &mut steps);
        let step = steps.swap_remove(n as usize);
        trace.push(format!("  {}  {}", step.who, step.what));
        state = step.then;
    }
    trace
}
