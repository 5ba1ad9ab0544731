//! The files, the open file descriptions and their locks, and the progress of each process in the
//! protocol.

/// The maximum number of processes.
pub(crate) const PROCESSES: usize = 3;

/// The maximum number of open file descriptions that are open only in forked children.
pub(super) const LEFT_TO_CHILDREN: usize = 4;

/// The maximum number of files in use: one at the path, two open in each process while it opens its
/// file again, and those of the probe, the writer and the children.
pub(super) const FILES: usize = 2 * PROCESSES + 3 + LEFT_TO_CHILDREN;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Text {
    Blank,
    /// The PID of a dead process that is not in the model.
    Stranger,
    /// The PID of a process of the model, and its `life`.
    Process(u8, u8),
    /// The PID of the process that does not lock, and its `life`.
    Writer(u8),
}

pub(super) type File = u8;
pub(super) const NO_FILE: File = u8::MAX;

/// A uid. The superuser can unlink every file in a sticky directory.
pub(crate) type User = u8;
pub(crate) const ROOT: User = 2;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Contents {
    text: Text,
    owner: User,
}

pub(super) const NO_CONTENTS: Contents = Contents {
    text: Text::Blank,
    owner: 0,
};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Lock {
    None,
    Shared,
    Exclusive,
}

/// The forked children, and their children, that share an open file description.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Children {
    None,
    /// Forked during a start or a release.
    Passing,
    /// Forked by a holder: they continue as holders with its lock.
    Holding,
}

/// An open file description, which owns the lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Open {
    pub(super) file: File,
    pub(super) lock: Lock,
    pub(super) children: Children,
}

pub(super) const CLOSED: Open = Open {
    file: NO_FILE,
    lock: Lock::None,
    children: Children::None,
};

impl Open {
    pub(super) fn of(file: File) -> Self {
        Self { file, ..CLOSED }
    }

    /// Returns `true` if children continue as holders with this description.
    pub(super) fn is_held_by_children(&self) -> bool {
        self.children == Children::Holding && self.lock == Lock::Exclusive
    }
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Next {
    /// The process does not exist yet.
    Start,
    // acquire::attempt
    Open,
    Create,
    Lock,
    // contention::resolve
    ReadBusy,
    LockShared,
    AskForHolder,
    UnlockShared,
    LookWhileBusy {
        held: bool,
    },
    // acquire::inspect
    Inspect,
    AskForWriter,
    UnlockRunning,
    WaitUnlocked,
    // acquire::settle
    LookAtPath,
    UnlockBlank,
    Replace,
    CloseAndRetry,
    // From here to `Unlink` or `Truncate`, the process is a holder.
    SetOwner,
    Write,
    Hold,
    // HeldFile::release
    LookAtRelease,
    TruncateReplaced,
    TruncateShared,
    UnlockTooEarly,
    Unlink,
    Truncate,
    // HeldFile::lock_unshared
    Reopen,
    Swap,
    LockReopened,
    LookAgain,
    CheckBlank,
    // acquire::abort
    AbortLook,
    AbortUnlink,
    AbortTruncate,
    Close,
    /// A refused start unlinks the file that it created, which the protocol forbids.
    UnlinkRefused,
    /// The process is done, but alive.
    Ended,
    /// The process is alive, but has failed because it cannot unlink the stale file of another
    /// owner.
    NotPermitted,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) next: Next,
    /// The number of predecessors with the same PID.
    pub(super) life: u8,
    pub(super) open: Open,
    /// The file, opened again during a release. It replaces `open` in the next step.
    pub(super) reopened: Open,
    /// The record that it has read.
    pub(super) read: Text,
    /// `true` if this attempt created the file.
    pub(super) created: bool,
    /// `true` if it has forked since it acquired the file.
    pub(super) forked: bool,
}

/// The process that does not lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    pub(super) next: WriterNext,
    /// The number of its starts.
    pub(super) life: u8,
    pub(super) file: File,
    /// `true` if it wrote its PID while no process had the lock. Then it counts as a holder.
    pub(super) settled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum WriterNext {
    Dead,
    Write,
    Live,
}

/// How many more times each event can happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) kills: u8,
    /// Starts besides the first of each process.
    pub(crate) restarts: u8,
    pub(crate) forks: u8,
    /// System calls that fail while the lock is held.
    pub(crate) failures: u8,
    /// Locks that their holder loses without a release.
    pub(crate) lost_locks: u8,
    /// Starts of the process that does not lock.
    pub(crate) writers: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) path: File,
    pub(super) files: [Contents; FILES],
    pub(super) processes: [Process; PROCESSES],
    pub(super) left_to_children: [Open; LEFT_TO_CHILDREN],
    pub(super) probe: Open,
    pub(super) writer: Writer,
    pub(super) budget: Budget,
    /// `true` if a start has decided to write into the file.
    pub(super) a_process_was_in: bool,
    /// `true` if a process has unlinked or truncated the file of another holder.
    pub(super) harm: bool,
}

impl State {
    /// Returns an initial state: no process exists. `found` is the text and the owner of the file,
    /// if there is one.
    pub(super) fn new(found: Option<(Text, User)>, budget: Budget) -> Self {
        let process = Process {
            next: Next::Start,
            life: 0,
            open: CLOSED,
            reopened: CLOSED,
            read: Text::Blank,
            created: false,
            forked: false,
        };
        let mut state = Self {
            path: NO_FILE,
            files: [NO_CONTENTS; FILES],
            processes: [process; PROCESSES],
            left_to_children: [CLOSED; LEFT_TO_CHILDREN],
            probe: CLOSED,
            writer: Writer {
                next: WriterNext::Dead,
                life: 0,
                file: NO_FILE,
                settled: false,
            },
            budget,
            a_process_was_in: false,
            harm: false,
        };
        let Some((text, owner)) = found else {
            return state;
        };
        state.path = 0;
        state.files[0] = Contents { text, owner };
        match text {
            // A predecessor with this PID wrote it.
            Text::Process(who, _) => state.processes[usize::from(who)].life = 1,
            Text::Writer(life) => {
                state.writer.next = WriterNext::Live;
                state.writer.life = life;
                state.writer.file = 0;
                state.writer.settled = true;
            }
            Text::Blank | Text::Stranger => {}
        }
        state
    }

    pub(super) fn text(&self, file: File) -> Text {
        self.files[usize::from(file)].text
    }

    pub(super) fn set_text(&mut self, file: File, text: Text) {
        self.files[usize::from(file)].text = text;
    }

    pub(super) fn owner(&self, file: File) -> User {
        self.files[usize::from(file)].owner
    }

    pub(super) fn set_owner(&mut self, file: File, owner: User) {
        self.files[usize::from(file)].owner = owner;
    }

    /// Returns all open file descriptions except those of this process.
    fn others(&self, who: usize) -> impl Iterator<Item = Open> {
        let processes = self.processes.iter().enumerate();
        let others = processes.filter(move |(other, _)| *other != who);
        let opens = others.flat_map(|(_, process)| [process.open, process.reopened]);
        opens.chain(self.left_to_children).chain([self.probe])
    }

    /// Not the index of a process. Stands for the probe and the writer.
    pub(super) const NO_PROCESS: usize = usize::MAX;

    /// Returns `true` if a process can take this lock, given the locks of all others.
    pub(super) fn is_free_for(&self, who: usize, file: File, lock: Lock) -> bool {
        self.others(who).all(|open| {
            open.file != file
                || open.lock == Lock::None
                || (open.lock == Lock::Shared && lock == Lock::Shared)
        })
    }

    pub(super) fn is_free_for_probe(&self, file: File) -> bool {
        let locks = self.others(Self::NO_PROCESS);
        locks
            .into_iter()
            .all(|open| open.file != file || open.lock != Lock::Exclusive)
    }

    pub(super) fn is_locked(&self, file: File) -> bool {
        self.others(Self::NO_PROCESS)
            .any(|open| open.file == file && open.lock == Lock::Exclusive)
    }

    /// Creates a file without a name.
    pub(super) fn create(&mut self, owner: User) -> File {
        let in_use = |file| {
            self.path == file
                || self.writer.file == file
                || self.others(Self::NO_PROCESS).any(|open| open.file == file)
        };
        let file = (0..FILES as File).find(|&file| !in_use(file));
        let file = file.expect("FILES is large enough");
        self.files[usize::from(file)] = Contents {
            text: Text::Blank,
            owner,
        };
        file
    }

    /// Returns `true` if a process with the recorded PID exists, even if it is a successor.
    pub(super) fn exists(&self, text: Text) -> bool {
        match text {
            Text::Blank | Text::Stranger => false,
            Text::Process(who, _) => self.is_alive(usize::from(who)),
            Text::Writer(_) => self.writer.next != WriterNext::Dead,
        }
    }

    /// Returns `true` if the process with the recorded PID wrote the record itself.
    pub(super) fn is_writer(&self, text: Text) -> bool {
        match text {
            Text::Blank | Text::Stranger => false,
            Text::Process(who, life) => self.processes[usize::from(who)].life == life,
            Text::Writer(life) => self.writer.life == life,
        }
    }

    pub(super) fn is_alive(&self, who: usize) -> bool {
        !matches!(self.processes[who].next, Next::Start | Next::Dead)
    }

    /// Returns `true` if a record may name a live process that has not written it.
    pub(super) fn numbers_repeat(&self) -> bool {
        self.writer.life > 1 || self.processes.iter().any(|process| process.life > 0)
    }

    /// Closes the files of a process. That releases its lock, unless a child shares the lock.
    pub(super) fn close(&mut self, who: usize) {
        let process = &mut self.processes[who];
        let opens = [process.open, process.reopened];
        process.open = CLOSED;
        process.reopened = CLOSED;
        process.read = Text::Blank;
        process.created = false;
        process.forked = false;
        for open in opens {
            self.leave_to_children(open);
        }
    }

    /// Closes a description in the parent. It stays open in the children.
    pub(super) fn leave_to_children(&mut self, open: Open) {
        if open.children != Children::None && open.lock != Lock::None {
            let free = self
                .left_to_children
                .iter()
                .position(|open| *open == CLOSED);
            self.left_to_children[free.expect("LEFT_TO_CHILDREN is large enough")] = open;
        }
    }

    pub(super) fn kill(&mut self, who: usize) {
        self.close(who);
        self.processes[who].next = Next::Dead;
    }

    /// Returns the states that can follow when children exit: for each description, the state
    /// without children that continue as holders, and the state without any children.
    pub(super) fn ends_of_children(&self) -> Vec<State> {
        let mut ends = Vec::new();
        let mut end = |what: &dyn Fn(&mut State) -> &mut Open| {
            let mut then = self.clone();
            let open = what(&mut then);
            match open.children {
                Children::None => return,
                Children::Passing => open.children = Children::None,
                Children::Holding => {
                    open.children = Children::Passing;
                    ends.push(then.clone());
                    what(&mut then).children = Children::None;
                }
            }
            ends.push(then);
        };
        for who in 0..PROCESSES {
            end(&|state| &mut state.processes[who].open);
            end(&|state| &mut state.processes[who].reopened);
        }
        for n in 0..LEFT_TO_CHILDREN {
            end(&|state| &mut state.left_to_children[n]);
        }
        ends
    }

    pub(super) fn end_children(&mut self) {
        self.left_to_children = [CLOSED; LEFT_TO_CHILDREN];
        for process in &mut self.processes {
            process.open.children = Children::None;
            process.reopened.children = Children::None;
        }
    }
}
