//! The steps of a start: `protocol/acquire.rs`, `protocol/open.rs` and `protocol/contention.rs`.

use super::state::{CLOSED, Lock, NO_FILE, Next, Open, State, Text};
use super::{Locked, Note, Without};

impl Locked {
    /// Opens or creates the file, and locks it.
    pub(super) fn open_and_lock(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Create if state.path != NO_FILE => {
                let what = "open::open_or_create: O_EXCL: exists";
                step(what, self.to(state, who, Next::Open));
            }
            Next::Create => {
                let mut then = self.to(state, who, Next::Lock);
                let file = then.create(self.users[who]);
                then.path = file;
                then.processes[who].open = Open::of(file);
                then.processes[who].created = true;
                step("open::open_or_create: O_EXCL: created", then);
            }
            Next::Lock => {
                let shared =
                    self.without == Without::ExclusiveLock && state.owner(file) != self.users[who];
                let lock = match shared {
                    true => Lock::Shared,
                    false => Lock::Exclusive,
                };
                if state.is_free_for(who, file, lock) {
                    let next = match self.without {
                        Without::PathCheckLast => Next::LookAtPath,
                        _ => Next::Inspect,
                    };
                    let what = "acquire::attempt: flock: locked";
                    step(what, self.with_lock(state, who, lock, next));
                } else {
                    let what = "acquire::attempt: flock: busy";
                    step(what, self.to(state, who, Next::ReadBusy));
                }
            }
            _ if state.path == NO_FILE => {
                let what = "open::open_or_create: open: no file";
                step(what, self.to(state, who, Next::Create));
            }
            _ => {
                let mut then = self.to(state, who, Next::Lock);
                then.processes[who].open = Open::of(state.path);
                step("open::open_or_create: open", then);
            }
        }
    }

    /// Finds out whether a busy file has a holder.
    pub(super) fn resolve(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        let held = Next::LookWhileBusy { held: true };
        match process.next {
            Next::ReadBusy => {
                let mut then = self.to(state, who, Next::LockShared);
                then.processes[who].read = match state.text(file) {
                    // Its own PID. The process does not hold the file, so a predecessor wrote it.
                    Text::Process(other, _) if usize::from(other) == who => Text::Stranger,
                    text => text,
                };
                step("contention::resolve: read", then);
            }
            Next::LockShared if state.is_free_for(who, file, Lock::Shared) => {
                let what = "contention::resolve: flock, shared: locked, so only probes are there";
                let mut then = self.with_lock(state, who, Lock::Shared, Next::UnlockShared);
                then.processes[who].read = Text::Blank;
                step(what, then);
            }
            Next::LockShared => {
                let (next, read) = match process.read {
                    Text::Blank | Text::Stranger => (held, Text::Blank),
                    text => (Next::AskForHolder, text),
                };
                let mut then = self.to(state, who, next);
                then.processes[who].read = read;
                step("contention::resolve: flock, shared: held", then);
            }
            Next::AskForHolder if state.exists(process.read) => {
                let what = "contention::resolve: the recorded process exists: refused";
                self.refuse(state, who, what, step);
            }
            Next::AskForHolder => {
                let mut then = self.to(state, who, held);
                then.processes[who].read = Text::Blank;
                step("contention::resolve: the recorded process is gone", then);
            }
            Next::UnlockShared => {
                let next = Next::LookWhileBusy { held: false };
                let then = self.with_lock(state, who, Lock::None, next);
                step("contention::resolve: unlock", then);
            }
            Next::LookWhileBusy { .. } if state.path != file => {
                let what = "contention::resolve: path_refers_to: no, new attempt";
                step(what, self.with_closed(state, who, Next::Open));
            }
            Next::LookWhileBusy { held } => {
                let what = "contention::resolve: path_refers_to: yes, so lock again";
                step(what, self.to(state, who, Next::Lock));
                if held {
                    let what = "contention::resolve: timed out: refused";
                    self.refuse(state, who, what, step);
                }
            }
            _ => {
                let then = self.unlink(state, who, Next::Close);
                step("a refused start unlinks the file that it created", then);
            }
        }
    }

    /// Refuses a start that does not have the lock: it only closes the file.
    fn refuse(&self, state: &State, who: usize, what: &'static str, step: &mut Note<'_>) {
        let unlinks = self.without == Without::RefusalsThatOnlyClose;
        if unlinks && state.processes[who].created {
            step(what, self.to(state, who, Next::UnlinkRefused));
        } else {
            step(what, self.with_closed(state, who, Next::Ended));
        }
    }

    /// Inspects a locked file.
    pub(super) fn inspect(&self, state: &State, who: usize, patient: bool, step: &mut Note<'_>) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::Inspect => {
                let mut then = state.clone();
                let text = state.text(file);
                then.processes[who].created &= text == Text::Blank;
                match text {
                    Text::Blank => {
                        self.stale(then, who, patient, "acquire::inspect: blank", step);
                    }
                    Text::Process(other, _) if usize::from(other) == who => {
                        then.processes[who].read = Text::Stranger;
                        let what = "acquire::inspect: read: a predecessor's PID";
                        self.stale(then, who, patient, what, step);
                    }
                    text => {
                        then.processes[who].read = text;
                        then.processes[who].next = Next::AskForWriter;
                        step("acquire::inspect: read: another PID", then);
                    }
                }
                self.fail(state, who, "acquire::inspect: an error", step);
            }
            Next::AskForWriter => {
                let exists = state.exists(process.read);
                if exists {
                    let what = "acquire::inspect: the process exists and may have written the file";
                    step(what, self.to(state, who, Next::UnlockRunning));
                }
                if !exists || !state.is_writer(process.read) {
                    let mut then = state.clone();
                    then.processes[who].read = Text::Stranger;
                    let what = "acquire::inspect: the process is gone or has not written the file";
                    self.stale(then, who, patient, what, step);
                }
            }
            Next::UnlockRunning => {
                let then = self.with_lock(state, who, Lock::None, Next::WaitUnlocked);
                step("acquire::settle: unlock", then);
            }
            _ => {
                if !state.exists(process.read) {
                    let what = "contention::wait_for_exit: the process is gone, new attempt";
                    step(what, self.with_closed(state, who, Next::Open));
                } else if state.path != file {
                    let what = "contention::wait_for_exit: path_refers_to: no, new attempt";
                    step(what, self.with_closed(state, who, Next::Open));
                }
                let what = "contention::wait_for_exit: timed out: refused";
                step(what, self.with_closed(state, who, Next::Ended));
            }
        }
    }

    /// The file is stale: the path check is next.
    fn stale(
        &self,
        mut then: State,
        who: usize,
        patient: bool,
        what: &'static str,
        step: &mut Note<'_>,
    ) {
        if self.without == Without::PathCheckLast {
            self.decide(&then, who, patient, what, step);
            return;
        }
        then.processes[who].next = Next::LookAtPath;
        step(what, then);
    }

    /// Checks the path, and then replaces the file, or sets its owner and writes the record.
    pub(super) fn decide_and_write(
        &self,
        state: &State,
        who: usize,
        patient: bool,
        step: &mut Note<'_>,
    ) {
        let process = state.processes[who];
        let file = process.open.file;
        match process.next {
            Next::LookAtPath if state.path != file && self.without != Without::PathCheck => {
                let what = "acquire::settle: path check: changed";
                step(what, self.to(state, who, Next::CloseAndRetry));
            }
            Next::LookAtPath if self.without == Without::PathCheckLast => {
                let what = "acquire::settle: path check: unchanged, before the file is read";
                step(what, self.to(state, who, Next::Inspect));
            }
            Next::LookAtPath => {
                let what = "acquire::settle: path check: unchanged";
                self.decide(state, who, patient, what, step);
                self.fail(state, who, "acquire::settle: path check: an error", step);
            }
            Next::UnlockBlank if self.without == Without::UnlockBeforeClose => {
                let what = "acquire::attempt: close without unlock, new attempt";
                step(what, self.with_closed(state, who, Next::Open));
            }
            Next::UnlockBlank => {
                let mut then = self.with_lock(state, who, Lock::None, Next::Open);
                then.close(who);
                step("acquire::attempt: unlock, close, new attempt", then);
            }
            Next::Replace if !self.may_unlink(state, who, state.path) => {
                let what = "acquire::replace: unlink: not permitted";
                step(what, self.with_closed(state, who, Next::NotPermitted));
            }
            Next::Replace => {
                let then = self.unlink(state, who, Next::CloseAndRetry);
                step("acquire::replace: unlink", then);
            }
            Next::CloseAndRetry => {
                let what = "acquire::attempt: close, new attempt";
                step(what, self.with_closed(state, who, Next::Open));
            }
            Next::SetOwner => {
                let mut then = self.to(state, who, Next::Write);
                then.set_owner(file, self.gives_to[who]);
                step("acquire::set_owner_and_mode: fchown", then);
                self.fail(state, who, "acquire::set_owner_and_mode: an error", step);
            }
            _ => {
                let mut then = self.to(state, who, Next::Hold);
                then.set_text(file, Text::Process(who as u8, process.life));
                then.processes[who].created &= state.budget.failures > 0;
                step("record::write: holds the file", then);
                self.fail(state, who, "record::write: an error", step);
            }
        }
    }

    /// Decides whether to write into the file or to replace it.
    fn decide(
        &self,
        state: &State,
        who: usize,
        patient: bool,
        what: &'static str,
        step: &mut Note<'_>,
    ) {
        let process = state.processes[who];
        let is_of_its_owner = state.owner(process.open.file) == self.gives_to[who];
        if process.created || is_of_its_owner {
            let next = match is_of_its_owner {
                true => Next::Write,
                false => Next::SetOwner,
            };
            let mut then = self.to(state, who, next);
            then.processes[who].read = Text::Blank;
            then.a_process_was_in = true;
            step(what, then);
            return;
        }
        let blank = process.read == Text::Blank;
        let mut next = |next| {
            let mut then = self.to(state, who, next);
            then.processes[who].read = Text::Blank;
            step(what, then);
        };
        next(Next::Replace);
        if blank && patient {
            next(Next::UnlockBlank);
        }
    }

    /// Adds the step in which a system call fails while the lock is held.
    pub(super) fn fail(&self, state: &State, who: usize, what: &'static str, step: &mut Note<'_>) {
        if state.budget.failures == 0 {
            return;
        }
        let process = state.processes[who];
        let uninspected = process.next == Next::Inspect;
        let created =
            process.created && (!uninspected || self.without == Without::BlankBeforeAbort);
        let next = match process.next {
            _ if created => Next::AbortLook,
            Next::Hold => Next::AbortTruncate,
            _ => Next::Close,
        };
        let mut then = self.to(state, who, next);
        then.budget.failures -= 1;
        then.processes[who].read = Text::Blank;
        step(what, then);
    }

    /// Unlinks or truncates the file after a failure.
    pub(super) fn abort(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        debug_assert!(process.open != CLOSED);
        match process.next {
            Next::AbortLook if state.path != process.open.file => {
                let what = "acquire::abort: path_refers_to: no";
                step(what, self.to(state, who, Next::Close));
            }
            Next::AbortLook => {
                let what = "acquire::abort: path_refers_to: yes";
                step(what, self.to(state, who, Next::AbortUnlink));
            }
            Next::AbortUnlink => {
                let then = self.unlink(state, who, Next::Close);
                step("acquire::abort: unlink", then);
            }
            _ => {
                let then = self.truncate(state, who, Next::Close);
                step("acquire::abort: truncate", then);
            }
        }
    }
}
