//! The operations into which faults are injected.

/// What is at the path before the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Initial {
    Nothing,
    /// The directory does not exist, either.
    NoDirectory,
    /// The record of a dead process, longer than the new record.
    Stale,
    /// Another process or another thread holds the file.
    Held,
    /// A program holds the file. It releases the file when the operation begins to sleep, or sends
    /// it SIGTERM.
    Releasing,
    /// A program holds the file, and is killed when the operation begins to sleep.
    Dying,
}

/// An operation of `traced`, and the state of the path before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) initial: Initial,
    /// The arguments of `traced`, without the path.
    pub(crate) arguments: &'static str,
}

impl Case {
    pub(crate) fn locks(self) -> bool {
        !self.has("--no-lock")
    }

    pub(crate) fn keeps(self) -> bool {
        self.has("--keep")
    }

    /// Returns `true` if the process already holds the file before the operation.
    pub(crate) fn holds_already(self) -> bool {
        self.has("second") || self.has("share")
    }

    /// Returns `true` if the operation must change nothing.
    pub(crate) fn inspects(self) -> bool {
        self.has("status") || self.has("holder")
    }

    /// Returns `true` if the operation stops the holder.
    pub(crate) fn stops(self) -> bool {
        self.has("stop")
    }

    /// Returns `true` if the operation waits until the holder has ended.
    pub(crate) fn waits(self) -> bool {
        self.has("--wait")
    }

    pub(crate) fn has(self, argument: &str) -> bool {
        self.arguments
            .split_whitespace()
            .any(|word| word == argument)
    }
}

const fn case(initial: Initial, arguments: &'static str) -> Case {
    Case { initial, arguments }
}

pub(crate) const CASES: &[Case] = &[
    case(Initial::Nothing, "close"),
    case(Initial::Nothing, "drop"),
    case(Initial::NoDirectory, "close"),
    case(Initial::Stale, "close"),
    case(Initial::Held, "close"),
    case(Initial::Held, "close --timeout"),
    case(Initial::Held, "close --no-lock --timeout"),
    case(Initial::Nothing, "second"),
    case(Initial::Nothing, "share"),
    case(Initial::Nothing, "close --keep"),
    case(Initial::Stale, "close --keep"),
    case(Initial::Nothing, "close --no-lock"),
    case(Initial::Nothing, "drop --no-lock"),
    case(Initial::NoDirectory, "close --no-lock"),
    case(Initial::Stale, "close --no-lock"),
    case(Initial::Stale, "close --no-lock --keep"),
    case(Initial::Held, "close --no-lock"),
    case(Initial::Nothing, "reserve"),
    case(Initial::Stale, "reserve"),
    case(Initial::Held, "reserve"),
    case(Initial::Stale, "parent"),
    case(Initial::Stale, "child"),
    case(Initial::Nothing, "status"),
    case(Initial::Stale, "status"),
    case(Initial::Held, "status"),
    case(Initial::Nothing, "holder"),
    case(Initial::Stale, "holder"),
    case(Initial::Held, "holder"),
    case(Initial::Held, "holder --no-lock"),
];

/// Starts that wait for a holder, in a thread or in a future.
pub(crate) const WAITS: &[Case] = &[
    case(Initial::Releasing, "close --wait"),
    case(Initial::Releasing, "close --wait --keep"),
    case(Initial::Dying, "close --wait"),
    case(Initial::Dying, "close --wait --no-lock"),
    case(Initial::Releasing, "close --wait --async"),
    case(Initial::Dying, "close --wait --async --no-lock"),
    case(Initial::Releasing, "close --wait --async --helper"),
    case(Initial::Held, "close --timeout --async"),
];

pub(crate) const STOPS: &[Case] = &[
    case(Initial::Releasing, "stop"),
    case(Initial::Releasing, "stop --keep"),
    case(Initial::Releasing, "stop --no-lock"),
];
