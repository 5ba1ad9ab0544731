//! Measures the operations of all contenders, in interleaved rounds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::calls;
use crate::contenders::{self, Contender};
use crate::holder::Holder;
use crate::operation::Operation;
use crate::place::Place;
use crate::python::{self, Module, Python};
use crate::rounds;

/// The number of operations that run before each batch and are not measured. They replace the
/// previous contender's data in the caches.
const WARM_UP: u64 = 2;

/// How many operations are measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// The number of rounds.
    pub rounds: usize,
    /// The number of operations per round. Their mean is one sample.
    pub batch: u32,
}

/// A contender in Rust or in Python.
#[derive(Debug, Clone, Copy)]
pub enum Competitor {
    /// Runs in this process.
    Here(&'static Contender),
    /// Runs in the Python process.
    InPython(&'static Module),
}

impl Competitor {
    /// Returns all competitors, the floor first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let here = contenders::ALL.iter().map(Self::Here);
        here.chain(python::MODULES.iter().map(Self::InPython))
            .collect()
    }

    /// Returns the name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Here(contender) => contender.name,
            Self::InPython(module) => module.name,
        }
    }

    /// Returns the missing features, as listed in tables.
    #[must_use]
    pub fn skips(self) -> &'static str {
        match self {
            Self::Here(contender) => contender.skips,
            Self::InPython(module) => module.skips,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Here(contender) => contender.key,
            Self::InPython(module) => module.key,
        }
    }

    fn can(self, operation: Operation) -> bool {
        match self {
            Self::Here(contender) => contender.operation(operation).is_some(),
            Self::InPython(module) => module.can(operation),
        }
    }

    /// Returns a path that no other competitor and no other operation uses.
    fn path(self, operation: Operation, place: &Place) -> PathBuf {
        let name = format!("{}-{}.pid", self.key(), operation.name());
        place.path().join(name)
    }

    fn holder(self, operation: Operation, path: &Path, interpreter: &Path) -> Option<Holder> {
        operation.is_held().then(|| match self {
            Self::Here(contender) => Holder::contender(contender.key, path),
            Self::InPython(module) => Holder::module(interpreter, module.key, path),
        })
    }
}

/// The cost of an operation or of a process.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// The median time.
    pub time: Duration,
    /// The ratio to the floor, or to the bare process.
    pub ratio: f64,
}

/// Measures an operation in a place. Returns the costs in the order of [`Competitor::all`], with
/// `None` for each competitor that does not support the operation.
#[must_use]
pub fn compare(
    operation: Operation,
    place: &Place,
    interpreter: &Path,
    effort: Effort,
) -> Vec<Option<Cost>> {
    let mut python = Python::start(interpreter);
    let able: Vec<(Competitor, PathBuf)> = Competitor::all()
        .into_iter()
        .filter(|who| who.can(operation))
        .map(|who| (who, who.path(operation, place)))
        .collect();
    let _holders: Vec<_> = able
        .iter()
        .map(|(who, path)| who.holder(operation, path, interpreter))
        .collect();
    let samples = rounds::in_turns(able.len(), effort.rounds, |turn| match &able[turn] {
        (Competitor::Here(contender), path) => {
            let run = contender
                .operation(operation)
                .expect("the contender supports the operation");
            operation.total(run, path, WARM_UP);
            operation.total(run, path, effort.batch.into()) / effort.batch
        }
        (Competitor::InPython(module), path) => {
            python.time(module, operation, path, WARM_UP);
            python.time(module, operation, path, effort.batch.into())
        }
    });
    let mut samples = samples.iter();
    let floor = samples.clone().next();
    Competitor::all()
        .into_iter()
        .map(|who| {
            let own = who.can(operation).then(|| samples.next())??;
            Some(Cost {
                time: own.median(),
                ratio: own.ratio(floor?),
            })
        })
        .collect()
}

/// Counts the system calls of an operation. Returns the counts in the order of
/// [`Competitor::all`], with `None` for each competitor that does not support the operation.
#[must_use]
pub fn count_calls(operation: Operation, place: &Place, interpreter: &Path) -> Vec<Option<usize>> {
    Competitor::all()
        .into_iter()
        .map(|who| {
            if !who.can(operation) {
                return None;
            }
            let path = who.path(operation, place);
            let _holder = who.holder(operation, &path, interpreter);
            let calls = match who {
                Competitor::Here(contender) => calls::of_contender(contender.key, operation, &path),
                Competitor::InPython(module) => {
                    calls::of_module(interpreter, module.key, operation, &path)
                }
            };
            Some(calls.len())
        })
        .collect()
}
