//! Those in this process that wait for the same file: only the first of them tries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::sys::{PerProcess, ProcessInstance};

/// By path, and by the order in which they came.
type Queues = BTreeMap<PathBuf, BTreeMap<u64, Waker>>;

static QUEUES: PerProcess<Mutex<Queues>> = PerProcess::new();

/// A place in the queue. Dropping it wakes the next one.
#[derive(Debug)]
pub(crate) struct Place {
    process: ProcessInstance,
    path: PathBuf,
    number: u64,
}

/// No waker is called or dropped under the lock: it could enter or leave a queue.
fn queues(process: ProcessInstance) -> MutexGuard<'static, Queues> {
    let queues = QUEUES.get(process, Mutex::default);
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    /// The last place.
    pub(crate) fn take(path: PathBuf, waker: Waker) -> Self {
        let process = ProcessInstance::current();
        let mut queues = queues(process);
        let queue = queues.entry(path.clone()).or_default();
        let number = queue.last_key_value().map_or(0, |(last, _)| last + 1);
        queue.insert(number, waker);
        Self {
            process,
            path,
            number,
        }
    }

    /// Returns `true` if it is this one's turn. Otherwise the waker is called when it is.
    pub(crate) fn is_first(&self, waker: Waker) -> bool {
        let mut queues = queues(self.process);
        let queue = queues.get_mut(&self.path).expect("a place is in a queue");
        let first = queue.keys().next() == Some(&self.number);
        let old = queue.insert(self.number, waker);
        drop(queues);
        drop(old);
        first
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let mut queues = queues(self.process);
        let queue = queues.get_mut(&self.path).expect("a place is in a queue");
        let left = queue.remove(&self.number);
        let first = queue.values().next().cloned();
        if first.is_none() {
            queues.remove(&self.path);
        }
        drop(queues);
        drop(left);
        // If it was the first before, it only looks.
        if let Some(first) = first {
            first.wake();
        }
    }
}
