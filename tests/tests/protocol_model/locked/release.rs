//! The steps of a release: `HeldFile::release` and `HeldFile::lock_unshared`.

use super::state::{CLOSED, Lock, NO_FILE, Next, Open, State, Text};
use super::{Locked, Note, Without};

impl Locked {
    /// Confirms the lock, checks the path, and unlinks or truncates the file.
    pub(super) fn release(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Hold => {
                // After a fork by the holder, the caller has its guard, so the start can no longer
                // fail.
                if !process.forked {
                    let what = "acquire::attempt: an error after the write";
                    self.fail(state, who, what, step);
                }
                if state.is_free_for(who, file, Lock::Exclusive) {
                    let then = self.with_lock(state, who, Lock::Exclusive, Next::LookAtRelease);
                    step("HeldFile::release: flock: locked", then);
                } else {
                    let what = "HeldFile::release: flock: lost, so only closes";
                    step(what, self.with_closed(state, who, Next::Ended));
                }
            }
            Next::LookAtRelease if state.path != file => {
                let what = "HeldFile::release: path_refers_to: no";
                step(what, self.to(state, who, Next::TruncateReplaced));
            }
            Next::LookAtRelease => {
                let next = match process.forked && self.without != Without::Reopening {
                    true => Next::TruncateShared,
                    false => self.removal(who),
                };
                let what = "HeldFile::release: path_refers_to: yes";
                step(what, self.to(state, who, next));
            }
            Next::TruncateReplaced => {
                let then = self.truncate(state, who, Next::Close);
                step("HeldFile::release: truncate the replaced file", then);
            }
            Next::TruncateShared => {
                let keeps_blank = self.keep[who] && self.without != Without::TruncatingOnce;
                let next = match keeps_blank {
                    true => Next::Close,
                    false => Next::Reopen,
                };
                let then = self.truncate(state, who, next);
                step(
                    "HeldFile::release: truncate before the lock is given up",
                    then,
                );
            }
            Next::UnlockTooEarly => {
                let then = self.with_lock(state, who, Lock::None, Next::Unlink);
                step("unlocks before it unlinks", then);
            }
            Next::Unlink => {
                let then = self.unlink(state, who, Next::Close);
                step("HeldFile::release: unlink", then);
            }
            Next::Truncate => {
                let then = self.truncate(state, who, Next::Close);
                step("HeldFile::release: truncate instead of unlink", then);
            }
            _ => step("closes", self.with_closed(state, who, Next::Ended)),
        }
    }

    fn removal(&self, who: usize) -> Next {
        match self.keep[who] {
            true => Next::Truncate,
            false if self.without == Without::LockWhileUnlinking => Next::UnlockTooEarly,
            false => Next::Unlink,
        }
    }

    /// Opens and locks a truncated file again, because children may share the open one.
    pub(super) fn reopen_unshared(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Reopen if state.path == file => {
                let mut then = self.to(state, who, Next::Swap);
                then.processes[who].reopened = Open::of(file);
                step("HeldFile::lock_unshared: open", then);
            }
            Next::Reopen => {
                let what = match state.path {
                    NO_FILE => "HeldFile::lock_unshared: open: no file",
                    _ => "HeldFile::lock_unshared: open: another file",
                };
                step(what, self.to(state, who, Next::Close));
            }
            Next::Swap => {
                let mut then = self.to(state, who, Next::LockReopened);
                let swapped = &mut then.processes[who];
                let shared = swapped.open;
                swapped.open = swapped.reopened;
                swapped.reopened = CLOSED;
                then.leave_to_children(shared);
                step("HeldFile::lock_unshared: dup3", then);
            }
            Next::LockReopened if state.is_free_for(who, file, Lock::Exclusive) => {
                let next = match self.without {
                    Without::BlankCheck | Without::TruncatingOnce => Next::LookAgain,
                    _ => Next::CheckBlank,
                };
                let then = self.with_lock(state, who, Lock::Exclusive, next);
                step("HeldFile::lock_unshared: flock: locked", then);
            }
            Next::LockReopened => {
                let what = "HeldFile::lock_unshared: flock: busy, so only closes";
                step(what, self.with_closed(state, who, Next::Ended));
            }
            Next::CheckBlank if state.text(file) == Text::Blank => {
                let next = match self.without {
                    Without::SecondPathCheck => self.removal(who),
                    _ => Next::LookAgain,
                };
                let what = "HeldFile::lock_unshared: fstat: still blank";
                step(what, self.to(state, who, next));
            }
            Next::CheckBlank => {
                let what = "HeldFile::lock_unshared: fstat: written meanwhile";
                step(what, self.to(state, who, Next::Close));
            }
            _ if state.path == file => {
                let what = "HeldFile::lock_unshared: path_refers_to: yes";
                step(what, self.to(state, who, self.removal(who)));
            }
            _ => {
                let what = "HeldFile::lock_unshared: path_refers_to: no";
                step(what, self.to(state, who, Next::Close));
            }
        }
    }
}
