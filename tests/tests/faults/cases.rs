//! What is done while a fault comes.

/// What is at the path before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    Nothing,
    /// Nor is the directory.
    NoDirectory,
    /// The record of a dead process, longer than ours will be.
    Stale,
    /// Another process has it, as the case would have it.
    Held,
}

/// One life of a pidfile, or what becomes of the attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) there: There,
    /// The arguments of `traced`, but for the path.
    pub(crate) arguments: &'static str,
}

impl Case {
    pub(crate) fn locks(self) -> bool {
        !self.has("--no-lock")
    }

    pub(crate) fn keeps(self) -> bool {
        self.has("--keep")
    }

    /// Whether the process holds the file before.
    pub(crate) fn holds_already(self) -> bool {
        self.has("second") || self.has("share")
    }

    pub(crate) fn has(self, argument: &str) -> bool {
        self.arguments
            .split_whitespace()
            .any(|word| word == argument)
    }
}

const fn case(there: There, arguments: &'static str) -> Case {
    Case { there, arguments }
}

pub(crate) const CASES: &[Case] = &[
    case(There::Nothing, "close"),
    case(There::Nothing, "drop"),
    case(There::NoDirectory, "close"),
    case(There::Stale, "close"),
    case(There::Held, "close"),
    case(There::Nothing, "second"),
    case(There::Nothing, "share"),
    case(There::Nothing, "close --keep"),
    case(There::Stale, "close --keep"),
    case(There::Nothing, "close --no-lock"),
    case(There::Nothing, "drop --no-lock"),
    case(There::NoDirectory, "close --no-lock"),
    case(There::Stale, "close --no-lock"),
    case(There::Stale, "close --no-lock --keep"),
    case(There::Held, "close --no-lock"),
    case(There::Nothing, "reserve"),
    case(There::Stale, "reserve"),
    case(There::Held, "reserve"),
    case(There::Stale, "parent"),
    case(There::Stale, "child"),
    case(There::Nothing, "status"),
    case(There::Stale, "status"),
    case(There::Held, "status"),
];
