//! The processes that count as holders.

use super::state::{File, Lock, Next, PROCESSES, State};

impl State {
    /// Returns `true` if a process acts as the holder: from its decision to write into the file
    /// until it unlinks or truncates the file.
    fn is_holder(&self, who: usize) -> bool {
        let process = self.processes[who];
        // A process whose children may share the file truncates it before it opens it again. So it
        // is no longer a holder when it then unlinks or truncates the file.
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

    /// Returns the number of holders: processes, their children, and the process that does not
    /// lock.
    pub(super) fn holders(&self) -> usize {
        let processes = (0..PROCESSES)
            .filter(|&who| self.is_holder(who) || self.processes[who].open.is_held_by_children());
        let children = self.left_to_children.iter();
        let children = children.filter(|open| open.is_held_by_children());
        processes.count() + children.count() + usize::from(self.writer.settled)
    }

    /// Returns the number of programs that run as holders, and are not starting or releasing.
    pub(super) fn programs(&self) -> usize {
        let processes = self.processes.iter();
        let processes = processes.filter(|process| process.next == Next::Hold);
        let children = self.left_to_children.iter();
        let children = children.filter(|open| open.is_held_by_children());
        processes.count() + children.count() + usize::from(self.writer.settled)
    }

    /// Returns `true` if the file has a holder other than this process and the children that share
    /// its open file description.
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

    /// Returns `true` if a process has decided what to do with the file, or children hold it. No
    /// protocol can cope with a third party that removes the file at this point.
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
