//! Where only Linux tells more: no events of files are watched, so sleeps end by time alone and none
//! is long, and which process has a lock is not known.

use std::io;
use std::thread;
use std::time::Duration;

use super::{AbsPath, ProcessInstance, Stat};

pub(crate) fn process_owner(_pid: u32) -> Option<u32> {
    None
}

pub(crate) fn has_lock(_pid: u32, _file: &Stat) -> Option<bool> {
    None
}

pub(crate) fn lock_taker(_file: &Stat) -> Option<u32> {
    None
}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) enum Source {}

/// Cannot be made.
pub(crate) enum Events {}

impl Events {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn watch_file(&mut self, _path: &AbsPath, _readers: bool) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) fn watch_process(&mut self, _pid: u32) -> bool {
        match *self {}
    }

    pub(crate) fn take(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn sources(&self) -> Vec<Source> {
        match *self {}
    }
}

pub(crate) fn close_spare_events(_: ProcessInstance) {}

pub(crate) fn sleep(_sources: &[Source], time: Duration) -> Vec<bool> {
    thread::sleep(time);
    Vec::new()
}

/// Nothing is interrupted: each sleep is short.
pub(crate) struct Interrupt;

impl Interrupt {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn send(&self) {}

    pub(crate) fn sleep(&self, sources: Vec<Source>, time: Duration) -> Vec<bool> {
        const SHORT: Duration = Duration::from_millis(5);
        sleep(&sources, time.min(SHORT))
    }
}
