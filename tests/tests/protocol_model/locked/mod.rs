//! The protocol with locks, `pidlock-core/src/acquire.rs` and what it calls, as steps that nothing
//! can come between: each is one system call. Up to three processes start, hold and give back; any
//! may be killed before any step, fork a child that shares its open file, and have a successor with
//! its number. Beside them somebody looks, again and again, whether the file is locked.
//!
//! Left out: errors of the system, files that are no pidfiles, third parties that remove the file,
//! and time. Whoever may give up waiting does so at any look or never, and a process with a used
//! number may seem to have started before the file was written, or after it.

mod alone;
mod state;

use crate::TWO_HOLDERS;
use crate::search::{Model, Step};
pub(crate) use alone::{Alone, Beginnings};
pub(crate) use state::PROCESSES;
use state::{CLOSED, Child, Lock, NO_FILE, Next, Open, State, Text};

/// What is searched, and which checks of the protocol are taken out.
#[derive(Clone, Copy)]
pub(crate) struct Locked {
    pub(crate) processes: usize,
    /// How many may be killed.
    pub(crate) kills: u8,
    /// How many starts there may be beside the first of each process.
    pub(crate) restarts: u8,
    /// Who leaves an empty file instead of removing it.
    pub(crate) keep: [bool; PROCESSES],
    pub(crate) forks: bool,
    pub(crate) onlooker: bool,
    /// Who looks whether the path still names the file that was locked.
    pub(crate) second_look: [bool; PROCESSES],
    /// Turned round: whether the path still names the file is looked at before it is read whom that
    /// names.
    pub(crate) looks_early: bool,
    /// Turned round: on release, the lock is given back before the file is removed.
    pub(crate) unlocks_first: bool,
}

impl Model for Locked {
    type State = State;

    /// No file, an empty one, one that names a process that is no more, and one that names a
    /// predecessor of the first process with the same number.
    fn beginnings(&self) -> Vec<State> {
        [
            None,
            Some(Text::Blank),
            Some(Text::Stranger),
            Some(Text::Process(0, 0)),
        ]
        .map(|text| State::new(text, self.kills, self.restarts))
        .into()
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
            self.act(state, who, &mut step);
            self.suffer(state, who, &mut step);
        }
        if self.onlooker {
            look_on(state, |what, then: State| {
                steps.push(Step {
                    who: '?',
                    what,
                    then: then.in_normal_form(),
                });
            });
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if self.second_look != [true; PROCESSES] || self.looks_early {
            // Nothing but what a user would call two holders.
            return (state.programs() > 1).then_some(TWO_HOLDERS);
        }
        if state.holders() > 1 {
            return Some(TWO_HOLDERS);
        }
        if state.harm {
            return Some("a file of somebody else was removed");
        }
        let processes = &state.processes[..self.processes];
        let nobody_was_killed = state.kills == self.kills;
        let over = processes
            .iter()
            .all(|process| matches!(process.next, Next::Ended | Next::Dead));
        if over && nobody_was_killed && !state.somebody_was_in && !self.numbers_repeat(state) {
            return Some("nobody was in, and all were refused");
        }
        None
    }
}

/// Takes note of a step: what it does, and what is then.
type Note<'a> = dyn FnMut(&'static str, State) + 'a;

impl Locked {
    /// The next step of a process, every way that it can go.
    fn act(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let Open { file, lock: _ } = process.open;
        let keeps = self.keep[who];
        let me = Text::Process(who as u8, process.life);
        let to = |next| {
            let mut then = state.clone();
            then.processes[who].next = next;
            then
        };
        let lock = |lock, next| {
            let mut then = to(next);
            then.processes[who].open.lock = lock;
            then
        };
        let close = |next| {
            let mut then = to(next);
            then.close(who);
            then
        };
        let is_there = state.path == file || !self.second_look[who];
        match process.next {
            Next::Start => step("acquire::acquire: starts", to(Next::Open)),
            Next::Open if state.path == NO_FILE => {
                step("opening::open_or_make: open: not there", to(Next::Make));
            }
            Next::Open => {
                let mut then = to(Next::Lock);
                then.processes[who].open.file = state.path;
                step("opening::open_or_make: open", then);
            }
            Next::Make if state.path != NO_FILE => {
                step("opening::make: there is one by now", to(Next::Open));
            }
            Next::Make => {
                let mut then = to(Next::Lock);
                let file = then.make();
                then.path = file;
                then.processes[who].open.file = file;
                step("opening::make", then);
            }
            Next::Lock | Next::LockAgain if state.is_free_for(who, file, Lock::Exclusive) => {
                let what = "acquire::lock: try_lock_exclusive: locked";
                step(what, lock(Lock::Exclusive, Next::LookAtFile));
            }
            Next::Lock | Next::LockAgain => {
                let what = "acquire::lock: try_lock_exclusive: busy";
                step(what, to(Next::ReadBusy));
            }
            Next::ReadBusy => {
                let mut then = to(Next::LockShared);
                then.processes[who].read = state.text(file);
                step("contention::wait: record::read", then);
            }
            Next::LockShared if state.is_free_for(who, file, Lock::Shared) => {
                let what = "contention::wait: try_lock_shared: locked, so nobody holds it";
                step(what, lock(Lock::Shared, Next::UnlockShared));
            }
            Next::LockShared => {
                let next = match process.read {
                    Text::Process(other, _) if usize::from(other) != who => {
                        Next::AskWhetherHolderExists
                    }
                    _ => Next::LookWhetherFileWent { held: true },
                };
                step("contention::wait: try_lock_shared: held", to(next));
            }
            Next::AskWhetherHolderExists => match process.read {
                Text::Process(other, _) if state.is_alive(other) => {
                    let what = "contention::wait: can_be_holder: yes, so refused with its PID";
                    step(what, close(Next::Ended));
                }
                _ => {
                    let what = "contention::wait: can_be_holder: no";
                    step(what, to(Next::LookWhetherFileWent { held: true }));
                }
            },
            Next::UnlockShared => {
                let next = Next::LookWhetherFileWent { held: false };
                step("contention::wait: unlock", lock(Lock::None, next));
            }
            Next::LookWhetherFileWent { .. } if state.path != file => {
                let what = "contention::wait: path_names: the file went";
                step(what, close(Next::Open));
            }
            Next::LookWhetherFileWent { held } => {
                let mut then = to(Next::LockAgain);
                then.processes[who].read = Text::Blank;
                step("contention::wait: path_names: it is there still", then);
                if held {
                    let what = "contention::wait: no patience left: refused";
                    step(what, close(Next::Ended));
                }
            }
            Next::LookAtFile => {
                let (what, then) = match is_there {
                    true => ("acquire::judge: stat: has its name", to(Next::Read)),
                    false => ("acquire::judge: stat: has no name", to(Next::UnlockGone)),
                };
                step(what, then);
            }
            Next::Read => match state.text(file) {
                // Ours, though this process does not hold it: a predecessor's.
                Text::Process(other, _) if usize::from(other) != who => {
                    let mut then = to(Next::AskWhetherItRuns);
                    then.processes[who].read = state.text(file);
                    step("acquire::whom_it_names: another", then);
                }
                _ => {
                    let mut then = to(Next::LookAtPath);
                    then.processes[who].read = Text::Blank;
                    step("acquire::whom_it_names: nobody", then);
                }
            },
            Next::AskWhetherItRuns => {
                let (alive, same) = match process.read {
                    Text::Process(other, life) => (
                        state.is_alive(other),
                        state.processes[usize::from(other)].life == life,
                    ),
                    _ => (false, false),
                };
                if alive {
                    step("contention::runs_on: it does", to(Next::LookAtPath));
                }
                if !alive || !same {
                    let mut then = to(Next::LookAtPath);
                    then.processes[who].read = Text::Blank;
                    step("contention::runs_on: it does not, so stale", then);
                }
            }
            Next::LookAtPath if !is_there && !self.looks_early => {
                let mut then = to(Next::UnlockGone);
                then.processes[who].read = Text::Blank;
                step("acquire::judge: shows: no", then);
            }
            Next::LookAtPath if process.read != Text::Blank => {
                let what = "acquire::judge: shows: yes, and it names who runs";
                step(what, to(Next::UnlockRefused));
            }
            Next::LookAtPath => {
                let mut then = to(Next::Write);
                then.somebody_was_in = true;
                step("acquire::judge: shows: yes, and free", then);
            }
            Next::UnlockGone => {
                let mut then = lock(Lock::None, Next::Open);
                then.close(who);
                step("acquire::lock: unlock, and goes round", then);
            }
            Next::UnlockRefused => {
                let mut then = lock(Lock::None, Next::Ended);
                then.close(who);
                step("acquire::let_go: unlock, and refused", then);
            }
            Next::Write => {
                let mut then = to(Next::Hold);
                then.set_text(file, me);
                step("record::write: is in", then);
            }
            Next::Hold if self.unlocks_first => {
                step("its guard is dropped", to(Next::UnlockTooEarly));
            }
            Next::Hold => step("its guard is dropped", to(Next::LookAtRelease)),
            Next::UnlockTooEarly => {
                let then = lock(Lock::None, Next::LookAtRelease);
                step("unlocks before it removes", then);
            }
            Next::LookAtRelease if state.path != file => {
                let mut then = to(Next::Close);
                then.harm = true;
                step("Hold::give_back: identify_path: replaced", then);
            }
            Next::LookAtRelease => {
                let next = if keeps { Next::Empty } else { Next::Remove };
                step("Hold::give_back: identify_path: its own", to(next));
            }
            Next::Remove => {
                let mut then = to(Next::Close);
                then.harm |= state.path != file;
                then.path = NO_FILE;
                step("Hold::remove: remove_file", then);
            }
            Next::Empty => {
                let mut then = to(Next::UnlockEmptied);
                then.set_text(file, Text::Blank);
                step("hold::empty: set_len", then);
            }
            Next::UnlockEmptied => {
                step("hold::empty: unlock", lock(Lock::None, Next::Close));
            }
            Next::Close => step("closes", close(Next::Ended)),
            Next::Ended | Next::Dead if state.restarts > 0 => {
                let mut then = to(Next::Open);
                then.restarts -= 1;
                let what = if process.next == Next::Dead {
                    then.processes[who].life += 1;
                    "acquire::acquire: starts, with a number that was in use"
                } else {
                    "acquire::acquire: starts again"
                };
                step(what, then);
            }
            Next::Ended | Next::Dead => {}
        }
    }

    /// What can happen to a process at any time, and to its child.
    fn suffer(&self, state: &State, who: usize, step: &mut Note<'_>) {
        let process = state.processes[who];
        let is_there = state.is_alive(who as u8);
        if process.next == Next::Ended {
            let mut then = state.clone();
            then.processes[who].next = Next::Dead;
            step("exits", then);
        }
        if is_there && state.kills > 0 && process.next != Next::Ended {
            let mut then = state.clone();
            then.kills -= 1;
            then.kill(who);
            step("is killed", then);
        }
        if self.forks && is_there && process.open != CLOSED && process.child == Child::None {
            let mut then = state.clone();
            then.processes[who].child = Child::Shares;
            step("forks a child", then);
        }
        if process.child != Child::None {
            let mut then = state.clone();
            then.processes[who].child = Child::None;
            step("its child ends", then);
        }
    }

    /// Whether a file may name a process that lives and has not written it.
    fn numbers_repeat(&self, state: &State) -> bool {
        state.processes.iter().any(|process| process.life > 0)
    }
}

/// `status::look`, `pgrep -L`: opens the file, tries for a shared lock, closes.
fn look_on(state: &State, mut step: impl FnMut(&'static str, State)) {
    let Open { file, lock } = state.onlooker;
    let mut then = state.clone();
    let what = if file == NO_FILE {
        if state.path == NO_FILE {
            return;
        }
        then.onlooker.file = state.path;
        "an onlooker opens the file"
    } else if lock == Lock::None && state.is_free_for(State::ONLOOKER, file, Lock::Shared) {
        then.onlooker.lock = Lock::Shared;
        "an onlooker locks it, shared"
    } else {
        then.onlooker = CLOSED;
        "an onlooker closes it"
    };
    step(what, then);
}
