//! The protocol with locks, `pidlock-core/src/protocol/` and `held.rs`, as steps that nothing can
//! come between: each is one system call. Up to three processes of several users start, hold and
//! release; any may be killed before any step, meet an error, fork children that share its open
//! file, and have a successor with its number. Beside them a probe asks, again and again, whether
//! the file is locked, and a process that does not lock writes its number into the file, lives on
//! and removes the file.
//!
//! Left out: files that are no pidfiles, several links to one, and time. A process that may give up
//! waiting does so at any moment or never, and a process with a used number may seem to have
//! started before the file was written, or after it.

mod acquire;
mod alone;
mod beside;
mod holders;
mod normal;
mod release;
mod state;

use crate::TWO_HOLDERS;
use crate::search::{Model, Step};
pub(crate) use alone::{Alone, Left};
pub(crate) use state::{Budget, PROCESSES, ROOT, User};
use state::{CLOSED, Children, Lock, Next, Open, State, Text};

pub(crate) const HARM: &str = "the file of another holder was unlinked or truncated";
pub(crate) const ALL_REFUSED: &str = "no process was in, and all were refused";

/// What is searched, and which checks of the protocol are switched off.
#[derive(Clone, Copy)]
pub(crate) struct Locked {
    pub(crate) processes: usize,
    /// As which user each process creates files.
    pub(crate) users: [User; PROCESSES],
    /// To which user each gives its file.
    pub(crate) gives_to: [User; PROCESSES],
    /// Only its owner and the superuser may unlink a file.
    pub(crate) sticky: bool,
    /// Which process leaves a blank file instead of unlinking it: it is told so, or has dropped its
    /// privileges.
    pub(crate) keep: [bool; PROCESSES],
    pub(crate) budget: Budget,
    pub(crate) probe: bool,
    /// The process that does not lock is there already, and the file is its own.
    pub(crate) written: bool,
    pub(crate) without: Without,
}

/// Nothing, or the part of the protocol that is switched off or turned round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// Section 2.1, step 4: the path still names the file.
    PathCheck,
    /// The same comes before step 3: which process does the file name?
    PathCheckLast,
    /// Section 2.4, step 3: the unlink comes before the unlock.
    LockWhileUnlinking,
    /// Step 7: a refused process that created the file leaves it alone.
    RefusalsThatOnlyClose,
    /// Step 2: nothing is unlinked under a shared lock.
    ExclusiveLock,
    /// Section 2.4, step 2, all of it.
    Reopening,
    /// In that, the path names the file once more after the new lock.
    SecondPathCheck,
    /// In that, the file is blank still after the new lock.
    BlankCheck,
    /// Step 5: a blank file is unlocked before it is closed, for a child may share it.
    UnlockBeforeClose,
    /// Section 2.4: where the file is kept, what is blank already is not truncated once more.
    TruncatingOnce,
    /// A created file is unlinked in a failure only once it was found blank.
    BlankBeforeAbort,
}

impl Model for Locked {
    type State = State;

    /// No file, a blank one, one that names a process that is gone, and one that names a
    /// predecessor of the first process with the same number, each of two owners. Or that of the
    /// process that does not lock.
    fn beginnings(&self) -> Vec<State> {
        if self.written {
            let found = [0, 1].map(|owner| Some((Text::Writer(1), owner)));
            return found.map(|found| State::new(found, self.budget)).into();
        }
        let texts = [Text::Blank, Text::Stranger, Text::Process(0, 0)];
        let found = texts
            .into_iter()
            .flat_map(|text| [Some((text, 0)), Some((text, 1))]);
        let found = [None].into_iter().chain(found);
        found.map(|found| State::new(found, self.budget)).collect()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step<State>>) {
        for who in 0..self.processes {
            let mut step = |what, then: State| {
                steps.push(Step {
                    who: char::from(b'A' + who as u8),
                    what,
                    then: then.in_normal_form(),
                });
            };
            self.act(state, who, true, &mut step);
            self.suffer(state, who, &mut step);
        }
        let mut step = |what, then: State| {
            steps.push(Step {
                who: '-',
                what,
                then: then.in_normal_form(),
            });
        };
        for then in state.ends_of_children() {
            step("a child ends", then);
        }
        if self.probe {
            beside::probe(state, &mut step);
        }
        beside::write(state, &mut step);
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if !self.is_whole() {
            // Nothing but what a user would call two holders.
            return (state.programs() > 1).then_some(TWO_HOLDERS);
        }
        if state.holders() > 1 {
            return Some(TWO_HOLDERS);
        }
        if state.harm {
            return Some(HARM);
        }
        let processes = &state.processes[..self.processes];
        let over = processes
            .iter()
            .all(|process| matches!(process.next, Next::Ended | Next::Dead));
        // Errors and a file that may not be unlinked are reasons to be refused, and so is a
        // process that has the number in the file.
        let without_reason = state.budget.kills == self.budget.kills
            && state.budget.failures == self.budget.failures
            && state.budget.writers == self.budget.writers
            && !self.sticky
            && !self.written
            && !state.numbers_repeat();
        if over && without_reason && !state.a_process_was_in {
            return Some(ALL_REFUSED);
        }
        None
    }
}

/// Takes note of a step: what it does, and what is then.
type Note<'a> = dyn FnMut(&'static str, State) + 'a;

impl Locked {
    fn is_whole(&self) -> bool {
        matches!(
            self.without,
            Without::Nothing
                | Without::BlankCheck
                | Without::UnlockBeforeClose
                | Without::TruncatingOnce
                | Without::BlankBeforeAbort
        )
    }

    /// The next step of a process, every way that it can go. Without patience it does not look
    /// again at a blank file of another owner.
    fn act(&self, state: &State, who: usize, patient: bool, step: &mut Note<'_>) {
        match state.processes[who].next {
            Next::Start | Next::Open | Next::Create | Next::Lock => {
                self.open_and_lock(state, who, step);
            }
            Next::ReadBusy
            | Next::LockShared
            | Next::AskForHolder
            | Next::UnlockShared
            | Next::LookWhileBusy { .. }
            | Next::UnlinkRefused => self.resolve(state, who, step),
            Next::Inspect | Next::AskForWriter | Next::UnlockRunning | Next::WaitUnlocked => {
                self.inspect(state, who, patient, step);
            }
            Next::LookAtPath
            | Next::UnlockBlank
            | Next::Replace
            | Next::CloseAndRetry
            | Next::SetOwner
            | Next::Write => self.decide_and_write(state, who, patient, step),
            Next::AbortLook | Next::AbortUnlink | Next::AbortTruncate => {
                self.abort(state, who, step);
            }
            Next::Hold
            | Next::LookAtRelease
            | Next::TruncateReplaced
            | Next::TruncateShared
            | Next::UnlockTooEarly
            | Next::Unlink
            | Next::Truncate
            | Next::Close => self.release(state, who, step),
            Next::Reopen | Next::Swap | Next::LockReopened | Next::LookAgain | Next::CheckBlank => {
                self.reopen_unshared(state, who, step)
            }
            Next::Ended | Next::NotPermitted | Next::Dead => start_again(state, who, step),
        }
    }

    /// What can happen to a process at any time.
    fn suffer(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let is_over = matches!(process.next, Next::Ended | Next::NotPermitted);
        if is_over {
            let mut then = state.clone();
            then.processes[who].next = Next::Dead;
            step("exits", then);
        }
        if !state.is_alive(who) || is_over {
            return;
        }
        if state.budget.kills > 0 {
            let mut then = state.clone();
            then.budget.kills -= 1;
            then.kill(who);
            step("is killed", then);
        }
        if state.budget.forks > 0 && process.open != CLOSED {
            let mut then = state.clone();
            then.budget.forks -= 1;
            let forking = &mut then.processes[who];
            let (forked, children) = match process.next {
                Next::Hold => (true, Children::Holding),
                _ => (process.forked, Children::Passing),
            };
            forking.forked = forked;
            for open in [&mut forking.open, &mut forking.reopened] {
                if *open != CLOSED {
                    open.children = open.children.max(children);
                }
            }
            step("forks a child", then);
        }
        if state.budget.lost_locks > 0 && process.next == Next::Hold {
            let mut then = state.clone();
            then.budget.lost_locks -= 1;
            then.processes[who].open.lock = Lock::None;
            step("loses its lock", then);
        }
    }

    /// What a process does next, and nothing else of it changes.
    fn to(&self, state: &State, who: usize, next: Next) -> State {
        let mut then = state.clone();
        then.processes[who].next = next;
        then
    }

    fn with_lock(&self, state: &State, who: usize, lock: Lock, next: Next) -> State {
        let mut then = self.to(state, who, next);
        then.processes[who].open.lock = lock;
        then
    }

    fn with_closed(&self, state: &State, who: usize, next: Next) -> State {
        let mut then = self.to(state, who, next);
        then.close(who);
        then
    }

    fn may_unlink(&self, state: &State, who: usize, file: state::File) -> bool {
        let user = self.users[who];
        !self.sticky || user == ROOT || user == state.owner(file)
    }

    /// Unlinks what the path names, and says whether that was anything that it must not.
    fn unlink(&self, state: &State, who: usize, next: Next) -> State {
        let mut then = self.to(state, who, next);
        let Open { file, children, .. } = state.processes[who].open;
        if state.path != state::NO_FILE {
            then.harm |= state.path != file
                || children == Children::Holding
                || state.is_held_beside(who, file);
        }
        then.path = state::NO_FILE;
        then
    }

    /// Truncates what the process has open.
    fn truncate(&self, state: &State, who: usize, next: Next) -> State {
        let mut then = self.to(state, who, next);
        let file = state.processes[who].open.file;
        then.harm |= state.is_held_beside(who, file);
        then.set_text(file, Text::Blank);
        then
    }
}

fn start_again(state: &State, who: usize, step: &mut Note<'_>) {
    if state.budget.restarts == 0 {
        return;
    }
    let mut then = state.clone();
    then.budget.restarts -= 1;
    let what = if state.processes[who].next == Next::Dead {
        then.processes[who].life += 1;
        "starts, with a number that was in use"
    } else {
        "starts again"
    };
    then.processes[who].next = Next::Open;
    step(what, then);
}
