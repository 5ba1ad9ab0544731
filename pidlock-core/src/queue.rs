//! The waiters in this process, in one queue for each file. Only the first waiter in a queue tries
//! to acquire the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::task::Waker;

use crate::sys::{PerProcess, ProcessInstance};

/// The waiters' wakers, by path, and by the order in which the waiters came.
type Queues = BTreeMap<PathBuf, BTreeMap<u64, Waker>>;

/// Unlocked before a waker is called or dropped, because code of the waker could enter or leave a
/// queue, which would deadlock.
static QUEUES: PerProcess<Mutex<Queues>> = PerProcess::new();

/// A waiter's place in a queue. Dropping it wakes the waiter that is the first then.
#[derive(Debug)]
pub(crate) struct Place {
    process: ProcessInstance,
    path: PathBuf,
    number: u64,
}

impl Place {
    /// Takes the last place in the queue for the path.
    pub(crate) fn take(path: PathBuf, waker: Waker) -> Self {
        let process = ProcessInstance::current();
        let mut queues = QUEUES.lock(process);
        let queue = queues.entry(path.clone()).or_default();
        let number = queue.last_key_value().map_or(0, |(last, _)| last + 1);
        queue.insert(number, waker);
        Self {
            process,
            path,
            number,
        }
    }

    /// Returns `true` if this place is the first. Otherwise the waker is called when it becomes the
    /// first.
    pub(crate) fn is_first(&self, waker: Waker) -> bool {
        let mut queues = QUEUES.lock(self.process);
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
        let mut queues = QUEUES.lock(self.process);
        let queue = queues.get_mut(&self.path).expect("a place is in a queue");
        let left = queue.remove(&self.number);
        let first = queue.values().next().cloned();
        if first.is_none() {
            queues.remove(&self.path);
        }
        drop(queues);
        drop(left);
        // The first waiter may be the same as before. To wake it again does no harm.
        if let Some(first) = first {
            first.wake();
        }
    }
}
