//! Section 2.4: `HeldFile::release`, `HeldFile::reopen_unshared`, `HeldFile::unlink`.

use super::state::{CLOSED, Lock, NO_FILE, Next, Open, State, Text};
use super::{Locked, Note, Without};

impl Locked {
    /// Steps 1 and 3.
    pub(super) fn release(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Hold => {
                // Only before the caller has its guard, and so before a child can go on with it.
                if !process.forked {
                    let what = "acquire::attempt: an error after the write";
                    self.fail(state, who, what, step);
                }
                if state.is_free_for(who, file, Lock::Exclusive) {
                    let then = self.with_lock(state, who, Lock::Exclusive, Next::LookAtRelease);
                    step("HeldFile::release: flock: its own", then);
                } else {
                    let what = "HeldFile::release: flock: lost, so only closes";
                    step(what, self.with_closed(state, who, Next::Ended));
                }
            }
            Next::LookAtRelease if state.path != file => {
                let what = "HeldFile::release: path_is_unchanged: no";
                step(what, self.to(state, who, Next::TruncateReplaced));
            }
            Next::LookAtRelease => {
                let next = match process.forked && self.without != Without::Reopening {
                    true => Next::TruncateShared,
                    false => self.removal(who),
                };
                let what = "HeldFile::release: path_is_unchanged: yes";
                step(what, self.to(state, who, next));
            }
            Next::TruncateReplaced => {
                let then = self.truncate(state, who, Next::Close);
                step("HeldFile::release: truncate what was replaced", then);
            }
            Next::TruncateShared => {
                let keeps_blank = self.keep[who] && self.without != Without::TruncatingOnce;
                let next = match keeps_blank {
                    true => Next::Close,
                    false => Next::Reopen,
                };
                let then = self.truncate(state, who, next);
                step("HeldFile::release: truncate what may be shared", then);
            }
            Next::UnlockTooEarly => {
                let then = self.with_lock(state, who, Lock::None, Next::Unlink);
                step("unlocks before it unlinks", then);
            }
            Next::Unlink => {
                let then = self.unlink(state, who, Next::Close);
                step("HeldFile::unlink: unlink", then);
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

    /// Step 2, after the truncation.
    pub(super) fn reopen_unshared(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Reopen if state.path == file => {
                let mut then = self.to(state, who, Next::Swap);
                then.processes[who].reopened = Open::of(file);
                step("HeldFile::reopen_unshared: open", then);
            }
            Next::Reopen => {
                let what = match state.path {
                    NO_FILE => "HeldFile::reopen_unshared: open: nothing there",
                    _ => "HeldFile::reopen_unshared: open: another file",
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
                step("HeldFile::reopen_unshared: dup3", then);
            }
            Next::LockReopened if state.is_free_for(who, file, Lock::Exclusive) => {
                let next = match self.without {
                    Without::SecondPathCheck => self.removal(who),
                    _ => Next::LookAgain,
                };
                let then = self.with_lock(state, who, Lock::Exclusive, next);
                step("HeldFile::reopen_unshared: flock: locked", then);
            }
            Next::LockReopened => {
                let what = "HeldFile::reopen_unshared: flock: busy, so only closes";
                step(what, self.with_closed(state, who, Next::Ended));
            }
            Next::LookAgain if state.path == file => {
                let next = match self.without {
                    Without::BlankCheck | Without::TruncatingOnce => self.removal(who),
                    _ => Next::CheckBlank,
                };
                let what = "HeldFile::reopen_unshared: path_is_unchanged: yes";
                step(what, self.to(state, who, next));
            }
            Next::LookAgain => {
                let what = "HeldFile::reopen_unshared: path_is_unchanged: no";
                step(what, self.to(state, who, Next::Close));
            }
            _ if state.text(file) == Text::Blank => {
                let what = "HeldFile::reopen_unshared: fstat: blank still";
                step(what, self.to(state, who, self.removal(who)));
            }
            _ => {
                let what = "HeldFile::reopen_unshared: fstat: written meanwhile";
                step(what, self.to(state, who, Next::Close));
            }
        }
    }
}
