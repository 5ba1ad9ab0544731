//! Model of the protocol with locks, `pidlock-core/src/protocol/` and `held.rs`. Each step is
//! atomic and stands for one system call. Up to three processes of several users start, hold and
//! release. Each of them can be killed before any step, meet an error, fork children that share its
//! open file, and have a successor with its PID. Beside them, a probe keeps testing whether the
//! file is locked, and a process that does not lock writes its PID into the file and removes the
//! file later.
//!
//! Not modelled: files that are not pidfiles, hard links, and time. A process that waits with a
//! time limit can give up at any moment or never. A process with a reused PID can seem to have
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
pub(crate) const ALL_REFUSED: &str = "no process held the file, and all were refused";

/// What is searched, and which checks of the protocol are switched off.
#[derive(Clone, Copy)]
pub(crate) struct Locked {
    pub(crate) processes: usize,
    /// The user who owns the files that each process creates.
    pub(crate) users: [User; PROCESSES],
    /// The user to whom each process gives its file.
    pub(crate) gives_to: [User; PROCESSES],
    /// The directory is sticky: only the owner of a file and the superuser can unlink it.
    pub(crate) sticky: bool,
    /// The processes that leave a blank file instead of unlinking it: with `keep(true)`, or after
    /// they have dropped their privileges.
    pub(crate) keep: [bool; PROCESSES],
    pub(crate) budget: Budget,
    pub(crate) probe: bool,
    /// The process that does not lock is alive from the start, and has written the file.
    pub(crate) written: bool,
    pub(crate) without: Without,
}

/// The part of the protocol that is switched off or reversed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// The check that the path still refers to the locked file.
    PathCheck,
    /// The order of the checks: the path is checked before the recorded process, not after it.
    PathCheckLast,
    /// The lock during the unlink: a release unlocks the file first.
    LockWhileUnlinking,
    /// The rule that a refused start only closes the file, even if it created the file.
    RefusalsThatOnlyClose,
    /// The exclusive lock: another user's file is replaced under a shared lock.
    ExclusiveLock,
    /// The part of a release that opens and locks a file again if children may share it.
    Reopening,
    /// The path check after a file was opened and locked again.
    SecondPathCheck,
    /// The check that a file is still blank after it was opened and locked again.
    BlankCheck,
    /// The unlock before a blank file is closed, because a child may share the lock.
    UnlockBeforeClose,
    /// The rule that a kept file is truncated only once, before it is opened and locked again.
    TruncatingOnce,
    /// The check that a created file is blank before a failed start unlinks it.
    BlankBeforeAbort,
}

impl Model for Locked {
    type State = State;

    /// Returns states without a file, and states with a file of either owner. The file is blank, or
    /// names a dead process, or names a predecessor of the first process with the same PID. With
    /// `written`, it always names the process that does not lock.
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
            self.add_external_events(state, who, &mut step);
        }
        let mut step = |what, then: State| {
            steps.push(Step {
                who: '-',
                what,
                then: then.in_normal_form(),
            });
        };
        for then in state.ends_of_children() {
            step("a child exits", then);
        }
        if self.probe {
            beside::probe(state, &mut step);
        }
        beside::write(state, &mut step);
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if !self.checks_all_invariants() {
            // Two processes count only if both run as holders, which is what a user notices, and
            // not if one of them is still starting or releasing.
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
        // All starts can be refused because of a kill, an error, a writer, a file that they cannot
        // unlink, or a live process with the recorded PID. Without these, one start must succeed.
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

/// Receives the description of a step and the resulting state.
type Note<'a> = dyn FnMut(&'static str, State) + 'a;

impl Locked {
    /// Returns `true` if a search checks all invariants, and not only that one program runs at a
    /// time.
    fn checks_all_invariants(&self) -> bool {
        matches!(
            self.without,
            Without::Nothing
                | Without::BlankCheck
                | Without::UnlockBeforeClose
                | Without::TruncatingOnce
                | Without::BlankBeforeAbort
        )
    }

    /// Adds the possible next steps of a process. Unless it is `patient`, it replaces a blank file
    /// of another owner at once.
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

    /// Adds what can happen to a process at any time: an exit, a kill, a fork, a lost lock.
    fn add_external_events(&self, state: &State, who: usize, step: &mut Note<'_>) {
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

    /// Sets the next step of a process and changes nothing else.
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

    /// Unlinks the file at the path. Records harm if that is the file of another holder.
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

    /// Truncates the file that the process has open. Records harm if there is another holder.
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
        "starts, with a reused PID"
    } else {
        "starts again"
    };
    then.processes[who].next = Next::Open;
    step(what, then);
}
