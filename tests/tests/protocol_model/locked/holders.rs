//! Which processes go by it that the file is their own.

use super::state::{File, Lock, Next, PROCESSES, State};

impl State {
    /// Whether a process goes by it that the file is its own: from the verdict that it is free to
    /// its unlink or its truncation.
    fn is_holder(&self, who: usize) -> bool {
        let process = self.processes[who];
        // What may be shared is truncated first, and then it is no holder's until it is locked anew.
        let is_truncated = process.forked && matches!(process.next, Next::Unlink | Next::Truncate);
        !is_truncated
            && matches!(
                process.next,
                Next::SetOwner
                    | Next::Write
                    | Next::Hold
                    | Next::LookAtRelease
                    | Next::TruncateReplaced
                    | Next::TruncateShared
                    | Next::UnlockTooEarly
                    | Next::Unlink
                    | Next::Truncate
            )
    }

    /// How many holders there are: processes, what they have left to their children, and the
    /// process that does not lock.
    pub(super) fn holders(&self) -> usize {
        let processes = (0..PROCESSES)
            .filter(|&who| self.is_holder(who) || self.processes[who].open.is_held_by_children());
        let children = self.left_to_children.iter();
        let children = children.filter(|open| open.is_held_by_children());
        processes.count() + children.count() + usize::from(self.writer.settled)
    }

    /// How many programs run in the belief to be alone.
    pub(super) fn programs(&self) -> usize {
        let processes = self.processes.iter();
        let processes = processes.filter(|process| process.next == Next::Hold);
        let children = self.left_to_children.iter();
        let children = children.filter(|open| open.is_held_by_children());
        processes.count() + children.count() + usize::from(self.writer.settled)
    }

    /// Whether a holder other than this process, and other than its children by its own
    /// description, has the file.
    pub(super) fn is_held_beside(&self, who: usize, file: File) -> bool {
        let by_process = (0..PROCESSES).any(|other| {
            let open = self.processes[other].open;
            other != who
                && open.file == file
                && (self.is_holder(other) || open.is_held_by_children())
        });
        let mut left = self.left_to_children.iter();
        by_process
            || left.any(|open| open.file == file && open.is_held_by_children())
            || (self.writer.settled && self.writer.file == file)
    }

    /// Whether a process has decided what becomes of the file, or children hold it: a process that
    /// removes it now does what no protocol can make good.
    pub(super) fn is_decided(&self, file: File) -> bool {
        let undecided = [
            Next::Inspect,
            Next::AskForWriter,
            Next::UnlockRunning,
            Next::UnlockBlank,
            Next::LookAtPath,
            Next::LookAgain,
            Next::CloseAndRetry,
        ];
        let decided = self.processes.iter().any(|process| {
            let locked = process.open.file == file && process.open.lock == Lock::Exclusive;
            (locked && !undecided.contains(&process.next))
                || (process.open.file == file && process.next == Next::Hold)
        });
        decided || self.is_held_beside(Self::NO_PROCESS, file) && !self.writer.settled
    }
}
