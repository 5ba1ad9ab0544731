//! The four operations of everybody, in turns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::calls;
use crate::contenders::{self, Contender};
use crate::holder::Holder;
use crate::operation::Operation;
use crate::place::Place;
use crate::python::{self, Module, Python};
use crate::rounds;

/// Operations before each batch: the first ones find the caches full of somebody else's.
const WARM_UP: u64 = 2;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Turns of each.
    pub rounds: usize,
    /// Operations in a turn, whose mean is a figure.
    pub batch: u32,
}

/// Who is compared.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    /// In this process.
    Here(&'static Contender),
    /// In the Python process.
    InPython(&'static Module),
}

impl Who {
    /// All of them, the floor first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let here = contenders::ALL.iter().map(Self::Here);
        here.chain(python::MODULES.iter().map(Self::InPython))
            .collect()
    }

    /// In tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Here(contender) => contender.name,
            Self::InPython(module) => module.name,
        }
    }

    /// What it does not do that others do.
    #[must_use]
    pub fn skips(self) -> &'static str {
        match self {
            Self::Here(contender) => contender.skips,
            Self::InPython(module) => module.skips,
        }
    }

    /// Whether it excludes, writes the PID, names the holder and removes the file.
    #[must_use]
    pub fn does_it_all(self) -> bool {
        matches!(self, Self::Here(contender) if contender.does_it_all)
    }

    /// Whether it is what all this is about.
    #[must_use]
    pub fn is_us(self) -> bool {
        self.key() == "ours"
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

    /// A path of its own: what one leaves is not in another's way.
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

/// What an operation of somebody takes.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// The median.
    pub time: Duration,
    /// How many times as long as the floor.
    pub ratio: f64,
}

/// What an operation takes in a place, everybody in the order of [`Who::all`]; `None` for who
/// cannot do it.
#[must_use]
pub fn compare(
    operation: Operation,
    place: &Place,
    interpreter: &Path,
    effort: Effort,
) -> Vec<Option<Cost>> {
    let mut python = Python::start(interpreter);
    let able: Vec<(Who, PathBuf)> = Who::all()
        .into_iter()
        .filter(|who| who.can(operation))
        .map(|who| (who, who.path(operation, place)))
        .collect();
    let _holders: Vec<_> = able
        .iter()
        .map(|(who, path)| who.holder(operation, path, interpreter))
        .collect();
    let samples = rounds::in_turns(able.len(), effort.rounds, |turn| match &able[turn] {
        (Who::Here(contender), path) => {
            let run = contender.operation(operation).expect("it does that");
            operation.total(run, path, WARM_UP);
            operation.total(run, path, effort.batch.into()) / effort.batch
        }
        (Who::InPython(module), path) => {
            python.time(module, operation, path, WARM_UP);
            python.time(module, operation, path, effort.batch.into())
        }
    });
    let mut samples = samples.iter();
    let floor = samples.clone().next();
    Who::all()
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

/// How many system calls an operation takes, everybody in the order of [`Who::all`].
#[must_use]
pub fn count_calls(operation: Operation, place: &Place, interpreter: &Path) -> Vec<Option<usize>> {
    Who::all()
        .into_iter()
        .map(|who| {
            if !who.can(operation) {
                return None;
            }
            let path = who.path(operation, place);
            let _holder = who.holder(operation, &path, interpreter);
            let calls = match who {
                Who::Here(contender) => calls::of_contender(contender.key, operation, &path),
                Who::InPython(module) => {
                    calls::of_module(interpreter, module.key, operation, &path)
                }
            };
            Some(calls.len())
        })
        .collect()
}
