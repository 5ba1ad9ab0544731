//! The files, which descriptions are open and locked, and where each process is in the protocol.

/// How many processes there can be.
pub(crate) const PROCESSES: usize = 3;

/// How many descriptions can be open in forked children only.
pub(super) const LEFT_TO_CHILDREN: usize = 4;

/// The files that can be referred to at once: by the path, by what each process has open (twice
/// while it reopens its file), by the probe, the writer and the children.
pub(super) const FILES: usize = 2 * PROCESSES + 3 + LEFT_TO_CHILDREN;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Text {
    Blank,
    /// A process that is gone, and whose number none of ours has.
    Stranger,
    /// The number of a process of ours, and how many had had it before.
    Process(u8, u8),
    /// The same of the process that does not lock.
    Writer(u8),
}

pub(super) type File = u8;
pub(super) const NO_FILE: File = u8::MAX;

/// A user's number. The superuser may unlink every file in a sticky directory.
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

/// The children, and their children, that share a description.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Children {
    None,
    /// Forked in the middle of an attempt or of a release.
    Passing,
    /// Forked while their parent was the holder: they go on with its lock.
    Holding,
}

/// An open file description, which is what has the lock.
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

    /// Whether children go on as holders with this description.
    pub(super) fn is_held_by_children(&self) -> bool {
        self.children == Children::Holding && self.lock == Lock::Exclusive
    }
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Next {
    /// Its first attempt: the process does not exist yet.
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
    // acquire::path_is_unchanged, and what follows from it
    LookAtPath,
    UnlockBlank,
    Replace,
    CloseAndRetry,
    // The process is a holder from here
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
    // to the unlink or the truncation.
    // HeldFile::reopen_unshared
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
    /// A refused creator's unlink, which the protocol forbids.
    UnlinkRefused,
    /// Nothing any more, but the process lives.
    Ended,
    /// The same, because it may not unlink the stale file of another owner.
    NotPermitted,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) next: Next,
    /// How many had its number before it.
    pub(super) life: u8,
    pub(super) open: Open,
    /// Its file opened again, before it takes the place of the other.
    pub(super) reopened: Open,
    /// What it has read.
    pub(super) read: Text,
    /// Whether this attempt created the file.
    pub(super) created: bool,
    /// Whether it has forked since it acquired.
    pub(super) forked: bool,
}

/// The process that does not lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    pub(super) next: WriterNext,
    pub(super) life: u8,
    pub(super) file: File,
    /// It wrote its number while no process had the lock: it is a holder, too.
    pub(super) settled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum WriterNext {
    Dead,
    Write,
    Live,
}

/// How often something may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) kills: u8,
    /// Starts beside the first of each process.
    pub(crate) restarts: u8,
    pub(crate) forks: u8,
    /// Errors of the system while the lock is held.
    pub(crate) failures: u8,
    /// Locks that the kernel takes from their holder.
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
    pub(super) a_process_was_in: bool,
    /// A process has unlinked or truncated what was not its own.
    pub(super) harm: bool,
}

impl State {
    /// No process exists yet. The file exists if it has a text.
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
            // A predecessor's, which had this number.
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

    /// Every description but a process's own, which goes by the name that `open` has here.
    fn others(&self, who: usize) -> impl Iterator<Item = Open> {
        let processes = self.processes.iter().enumerate();
        let others = processes.filter(move |(other, _)| *other != who);
        let opens = others.flat_map(|(_, process)| [process.open, process.reopened]);
        opens.chain(self.left_to_children).chain([self.probe])
    }

    /// No process's number: for the probe and the writer.
    pub(super) const NO_PROCESS: usize = usize::MAX;

    /// Whether a process can have this lock beside those of the others.
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

    /// Creates a file, without a name.
    pub(super) fn create(&mut self, owner: User) -> File {
        let in_use = |file| {
            self.path == file
                || self.writer.file == file
                || self.others(Self::NO_PROCESS).any(|open| open.file == file)
        };
        let file = (0..FILES as File).find(|&file| !in_use(file));
        let file = file.expect("there are more files than descriptions");
        self.files[usize::from(file)] = Contents {
            text: Text::Blank,
            owner,
        };
        file
    }

    /// Whether the process that a file names exists, though it may be another by now.
    pub(super) fn exists(&self, text: Text) -> bool {
        match text {
            Text::Blank | Text::Stranger => false,
            Text::Process(who, _) => self.is_alive(usize::from(who)),
            Text::Writer(_) => self.writer.next != WriterNext::Dead,
        }
    }

    /// Whether the process that has this number now is the one that wrote it.
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

    /// Whether a file may name a process that lives and has not written it.
    pub(super) fn numbers_repeat(&self) -> bool {
        self.writer.life > 1 || self.processes.iter().any(|process| process.life > 0)
    }

    /// Closes what a process has open. The lock goes, unless a child shares it.
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

    /// The parent's share of a description ends.
    pub(super) fn leave_to_children(&mut self, open: Open) {
        if open.children != Children::None && open.lock != Lock::None {
            let free = self
                .left_to_children
                .iter()
                .position(|open| *open == CLOSED);
            self.left_to_children[free.expect("a place for one more description")] = open;
        }
    }

    pub(super) fn kill(&mut self, who: usize) {
        self.close(who);
        self.processes[who].next = Next::Dead;
    }

    /// Every end of the last child, of a kind, that shares a description.
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
