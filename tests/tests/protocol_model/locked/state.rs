//! The file, who has it open and locked, and where each process is in the protocol.

/// How many processes there can be.
pub(crate) const PROCESSES: usize = 3;

/// The files that can be referred to at once: by the path, and by what each process, each child
/// and the onlooker have open.
const FILES: usize = 2 * PROCESSES + 2;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Text {
    Blank,
    /// A process that is no more, and whose number none of ours has.
    Stranger,
    /// The number of a process of ours, and how many had had it before.
    Process(u8, u8),
}

type File = u8;
pub(super) const NO_FILE: File = u8::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lock {
    None,
    Shared,
    Exclusive,
}

/// An open file description, which is what has the lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Open {
    pub(super) file: File,
    pub(super) lock: Lock,
}

pub(super) const CLOSED: Open = Open {
    file: NO_FILE,
    lock: Lock::None,
};

/// A child that was forked and never calls exec.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Child {
    None,
    /// Shares what its parent has open.
    Shares,
    /// Has what its parent has closed.
    Has(Open),
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// Its first step: it is not there yet.
    Start,
    Open,
    Make,
    Lock,
    // contention::wait
    ReadBusy,
    LockShared,
    AskWhetherHolderExists,
    UnlockShared,
    LookWhetherFileWent {
        held: bool,
    },
    LockAgain,
    // acquire::judge
    LookAtFile,
    Read,
    AskWhetherItRuns,
    LookAtPath,
    UnlockGone,
    UnlockRefused,
    // It is in from here
    Write,
    Hold,
    // Hold::give_back
    UnlockTooEarly,
    LookAtRelease,
    Remove,
    Empty,
    // to here.
    UnlockEmptied,
    Close,
    /// Nothing any more, but it lives.
    Ended,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) next: Next,
    /// How many had its number before it.
    pub(super) life: u8,
    pub(super) open: Open,
    /// What it has read.
    pub(super) read: Text,
    pub(super) child: Child,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) path: File,
    texts: [Text; FILES],
    pub(super) processes: [Process; PROCESSES],
    pub(super) onlooker: Open,
    pub(super) kills: u8,
    pub(super) restarts: u8,
    pub(super) somebody_was_in: bool,
    /// Somebody has removed a file that another made, or found his own replaced.
    pub(super) harm: bool,
}

impl State {
    /// Nobody is there yet. The file is there if it has a text.
    pub(super) fn new(text: Option<Text>, kills: u8, restarts: u8) -> Self {
        let process = Process {
            next: Next::Start,
            life: 0,
            open: CLOSED,
            read: Text::Blank,
            child: Child::None,
        };
        let mut state = Self {
            path: NO_FILE,
            texts: [Text::Blank; FILES],
            processes: [process; PROCESSES],
            onlooker: CLOSED,
            kills,
            restarts,
            somebody_was_in: false,
            harm: false,
        };
        if let Some(text) = text {
            state.path = 0;
            state.texts[0] = text;
        }
        // A predecessor's, which had this number.
        if let Some(Text::Process(who, 0)) = text {
            state.processes[usize::from(who)].life = 1;
        }
        state
    }

    pub(super) fn text(&self, file: File) -> Text {
        self.texts[usize::from(file)]
    }

    pub(super) fn set_text(&mut self, file: File, text: Text) {
        self.texts[usize::from(file)] = text;
    }

    /// Everything that is open, and whose it is: a process's, its child's, the onlooker's.
    fn opens(&self) -> impl Iterator<Item = (usize, Open)> {
        let own = self.processes.iter().map(|process| process.open);
        let children = self.processes.iter().map(|process| match process.child {
            Child::Has(open) => open,
            Child::None | Child::Shares => CLOSED,
        });
        own.chain(children).chain([self.onlooker]).enumerate()
    }

    /// The onlooker's number among those who have files open.
    pub(super) const ONLOOKER: usize = 2 * PROCESSES;

    /// Whether `who` can have this lock beside those of the others.
    pub(super) fn is_free_for(&self, who: usize, file: File, lock: Lock) -> bool {
        self.opens().all(|(other, open)| {
            other == who
                || open.file != file
                || open.lock == Lock::None
                || (open.lock == Lock::Shared && lock == Lock::Shared)
        })
    }

    /// Makes a file, without a name.
    pub(super) fn make(&mut self) -> File {
        let in_use = |file| self.path == file || self.opens().any(|(_, open)| open.file == file);
        let file = (0..FILES as File).find(|&file| !in_use(file));
        let file = file.expect("there are more files than who could have them open");
        self.set_text(file, Text::Blank);
        file
    }

    pub(super) fn is_alive(&self, process: u8) -> bool {
        !matches!(
            self.processes[usize::from(process)].next,
            Next::Start | Next::Dead
        )
    }

    /// Closes what a process has open. The lock goes, unless a child shares it.
    pub(super) fn close(&mut self, who: usize) {
        let process = &mut self.processes[who];
        if process.child == Child::Shares {
            process.child = Child::Has(process.open);
        }
        process.open = CLOSED;
        process.read = Text::Blank;
    }

    pub(super) fn kill(&mut self, who: usize) {
        self.close(who);
        self.processes[who].next = Next::Dead;
    }

    /// How many processes go by it that the file is theirs: from the verdict that it is free up to
    /// its removal.
    pub(super) fn holders(&self) -> usize {
        let is_in = |process: &&Process| {
            matches!(
                process.next,
                Next::Write
                    | Next::Hold
                    | Next::UnlockTooEarly
                    | Next::LookAtRelease
                    | Next::Remove
                    | Next::Empty
            )
        };
        self.processes.iter().filter(is_in).count()
    }

    /// How many programs run in the belief to be alone.
    pub(super) fn programs(&self) -> usize {
        let runs = |process: &&Process| process.next == Next::Hold;
        self.processes.iter().filter(runs).count()
    }

    /// The one among the states that differ only in which number stands for which file.
    pub(super) fn in_normal_form(mut self) -> Self {
        let mut new_numbers = [NO_FILE; FILES];
        let mut texts = [Text::Blank; FILES];
        let mut count = 0;
        let old_texts = self.texts;
        let mut renumber = |file: &mut File| {
            if *file == NO_FILE {
                return;
            }
            let old = usize::from(*file);
            if new_numbers[old] == NO_FILE {
                new_numbers[old] = count;
                texts[usize::from(count)] = old_texts[old];
                count += 1;
            }
            *file = new_numbers[old];
        };
        renumber(&mut self.path);
        renumber(&mut self.onlooker.file);
        for process in &mut self.processes {
            renumber(&mut process.open.file);
            if let Child::Has(open) = &mut process.child {
                renumber(&mut open.file);
            }
        }
        self.texts = texts;
        self
    }
}
