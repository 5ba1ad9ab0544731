//! Exhaustive search of a hand-over: every interleaving of the steps of both processes, with a time-out,
//! a termination signal to the predecessor, and kills at any step.

#[path = "../protocol_model/search.rs"]
mod search;

use search::{Model, Step, search};

/// The steps of the predecessor, by what it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Predecessor {
    Wait,
    TakeByte {
        ended: bool,
    },
    CheckTag {
        ended: bool,
    },
    WriteRecord,
    /// The owner again.
    Kept,
    /// Has closed its descriptors.
    Handed,
    /// In the signal handler.
    HandlerChecksTag,
    HandlerOpensAnew,
    HandlerLocks,
    HandlerUnlinks,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Successor {
    CheckPath,
    TakeByte,
    WriteRecord,
    SetTag,
    EndLink,
    Owner,
    Refused,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    predecessor: Predecessor,
    successor: Successor,
    byte: bool,
    link: bool,
    /// Which process shares the open file that has the lock.
    shares: [bool; 2],
    /// The predecessor has the lock by a file opened anew.
    has_own_lock: bool,
    tag_is_successors: bool,
    record_is_successors: bool,
    linked: bool,
    kills: u32,
    signals: u32,
    timeouts: u32,
}

/// A rule of the protocol that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// On time-out the predecessor goes on without reading the byte.
    Byte,
    /// Without the byte the predecessor waits no longer.
    WaitForOwner,
    /// A successor that has died as the owner counts as one that lives.
    Tag,
    /// The signal handler removes the file without a lock of its own.
    OwnLock,
    /// The predecessor that is the owner again leaves the record as it is.
    Record,
}

impl State {
    fn predecessor_owns(&self) -> bool {
        use Predecessor::*;
        match self.predecessor {
            Kept => true,
            Wait | TakeByte { .. } | CheckTag { .. } => self.byte,
            // In the handler it only cleans up.
            _ => false,
        }
    }

    fn successor_owns(&self) -> bool {
        use Successor::*;
        matches!(self.successor, WriteRecord | SetTag | EndLink | Owner)
    }
}

impl Model for Without {
    type State = State;

    fn beginnings(&self) -> Vec<State> {
        vec![State {
            predecessor: Predecessor::Wait,
            successor: Successor::CheckPath,
            byte: true,
            link: true,
            shares: [true; 2],
            has_own_lock: false,
            tag_is_successors: false,
            record_is_successors: false,
            linked: true,
            kills: 2,
            signals: 1,
            timeouts: 1,
        }]
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step<State>>) {
        let without = *self;
        let mut step = |who, what, change: &dyn Fn(&mut State)| {
            let mut then = *state;
            change(&mut then);
            steps.push(Step { who, what, then });
        };
        {
            use Predecessor::*;
            let ended = !state.link;
            let go = |next: Predecessor| move |s: &mut State| s.predecessor = next;
            match state.predecessor {
                Wait if ended => step('P', "the link ended", &go(TakeByte { ended })),
                Wait if state.timeouts > 0 => step('P', "time-out", &|s| {
                    s.timeouts -= 1;
                    s.predecessor = match without {
                        Without::Byte => Kept,
                        _ => TakeByte { ended },
                    };
                }),
                TakeByte { .. } if state.byte => step('P', "has the byte", &|s| {
                    (s.byte, s.predecessor) = (false, Kept);
                }),
                TakeByte { ended } => step('P', "has no byte", &go(CheckTag { ended })),
                CheckTag { .. } if state.tag_is_successors => step('P', "hands over", &|s| {
                    (s.predecessor, s.shares[0]) = (Handed, false);
                }),
                CheckTag { ended: true } if without == Without::Tag => {
                    step('P', "hands over", &|s| {
                        (s.predecessor, s.shares[0]) = (Handed, false);
                    })
                }
                CheckTag { ended: true } => step('P', "is the owner again", &go(WriteRecord)),
                CheckTag { .. } if without == Without::WaitForOwner => {
                    step('P', "is the owner again", &go(WriteRecord));
                }
                CheckTag { .. } => step('P', "waits for the owner", &go(Wait)),
                WriteRecord => step('P', "writes the record", &|s| {
                    s.record_is_successors &= without == Without::Record;
                    s.predecessor = Kept;
                }),
                HandlerChecksTag if state.tag_is_successors => step('P', "dies", &die),
                HandlerChecksTag if without == Without::OwnLock => {
                    step('P', "has the lock", &go(HandlerUnlinks));
                }
                HandlerChecksTag => step('P', "the tag is its own", &go(HandlerOpensAnew)),
                HandlerOpensAnew => step('P', "leaves the shared lock", &|s| {
                    (s.predecessor, s.shares[0]) = (HandlerLocks, false);
                }),
                HandlerLocks if state.shares[1] => step('P', "dies: the lock is shared", &die),
                HandlerLocks => step('P', "locks", &|s| {
                    (s.predecessor, s.has_own_lock) = (HandlerUnlinks, true);
                }),
                HandlerUnlinks => step('P', "unlinks and dies", &|s| {
                    s.linked = false;
                    die(s);
                }),
                _ => {}
            }
            let in_hand_over =
                matches!(state.predecessor, Wait | TakeByte { .. } | CheckTag { .. });
            if state.signals > 0 && in_hand_over {
                step('P', "gets a signal", &|s| {
                    (s.signals, s.predecessor) = (0, HandlerChecksTag);
                });
            }
            if state.kills > 0 && state.predecessor != Gone {
                step('P', "is killed", &|s| {
                    s.kills -= 1;
                    die(s);
                });
            }
        }
        use Successor::*;
        let go = |next: Successor| move |s: &mut State| s.successor = next;
        match state.successor {
            CheckPath if state.linked => step('S', "checks the path", &go(TakeByte)),
            TakeByte if state.byte => step('S', "has the byte", &|s| {
                (s.byte, s.successor) = (false, WriteRecord);
            }),
            CheckPath | TakeByte => step('S', "adopts nothing", &|s| leave(s, Refused)),
            WriteRecord => step('S', "writes the record", &|s| {
                (s.record_is_successors, s.successor) = (true, SetTag);
            }),
            SetTag => step('S', "sets the tag", &|s| {
                (s.tag_is_successors, s.successor) = (true, EndLink);
            }),
            EndLink => step('S', "ends the link", &|s| {
                (s.link, s.successor) = (false, Owner);
            }),
            Owner | Refused | Gone => {}
        }
        if state.kills > 0 && state.successor != Gone {
            step('S', "is killed", &|s| {
                s.kills -= 1;
                leave(s, Gone);
            });
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let (predecessor, successor) = (state.predecessor_owns(), state.successor_owns());
        let is_locked = state.shares != [false; 2] || state.has_own_lock;
        let is_kept = state.predecessor == Predecessor::Kept;
        let is_lost =
            state.predecessor == Predecessor::Handed && !state.tag_is_successors && !successor;
        match () {
            () if predecessor && successor => Some(TWO_OWNERS),
            () if (predecessor || successor) && !is_locked => Some("the lock is free"),
            () if successor && !state.linked => Some(REMOVED),
            () if is_kept && state.record_is_successors => Some(WRONG_RECORD),
            () if is_lost => Some(NO_OWNER),
            () => None,
        }
    }
}

fn die(state: &mut State) {
    state.predecessor = Predecessor::Gone;
    state.shares[0] = false;
    state.has_own_lock = false;
}

/// The successor closes its descriptors.
fn leave(state: &mut State, then: Successor) {
    (state.successor, state.shares[1], state.link) = (then, false, false);
}

const TWO_OWNERS: &str = "two owners";
const NO_OWNER: &str = "no owner, although the predecessor runs";
const REMOVED: &str = "the owner's file was removed";
const WRONG_RECORD: &str = "the file does not name its owner";

#[test]
fn hand_over_has_one_owner_in_every_interleaving() {
    // A predecessor that runs is not left waiting.
    let mut settled = 0;
    let states = search(&Without::Nothing, |state| {
        let mut steps = Vec::new();
        Without::Nothing.steps(state, &mut steps);
        if steps.is_empty() {
            settled += 1;
            let is_waiting = state.predecessor == Predecessor::Wait;
            assert!(!is_waiting, "{state:?}");
        }
    })
    .all_right("a hand-over");
    assert!(states > 150 && settled > 5, "{states}, {settled}");
}

#[test]
fn each_rule_of_a_hand_over_is_needed() {
    for (without, wrong) in [
        (Without::Byte, TWO_OWNERS),
        (Without::WaitForOwner, TWO_OWNERS),
        (Without::Tag, NO_OWNER),
        (Without::OwnLock, REMOVED),
        (Without::Record, WRONG_RECORD),
    ] {
        search(&without, |_| {}).trace_to(wrong, &format!("without {without:?}"));
    }
}
