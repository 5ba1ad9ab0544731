//! The names, the files that they name, and where each process is in the protocol.

/// How many processes there can be.
pub(crate) const PROCESSES: usize = 3;

/// How many public names: the pidfile and those for its replacement. More than are ever reached.
pub(super) const LEVELS: usize = 5;

/// More files than are ever referred to at once.
const FILES: usize = 16;

type File = u8;
pub(super) const NO_FILE: File = u8::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Text {
    Blank,
    /// A process that is no more, and whose number none of ours has.
    Stranger,
    /// The number of a process, also of one that had it before.
    Process(u8),
}

/// What a process looks at a name for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// `acquire`: who runs, so that nothing need be written?
    First,
    /// `take`: who was faster?
    Taken,
    /// `replace_if_still_stale`: is it still?
    Below,
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// Its first step: it is not there yet.
    Start,
    // look
    Open(Why),
    Read(Why),
    AskWhetherItRuns(Why, Text),
    // Private::write
    MakePrivate {
        again: bool,
    },
    OpenLeftOver,
    ReadLeftOver,
    RemoveLeftOver,
    WritePrivate,
    // take
    Link,
    LookWhoseItIs,
    DropPrivate,
    // come_down
    Pop,
    LookWhetherStillThere,
    Replace,
    LookAtTop {
        replaced: bool,
    },
    RemoveTop {
        replaced: bool,
    },
    DropTop {
        replaced: bool,
    },
    DropLast,
    // sweep
    Sweep(u8),
    OpenSwept(u8),
    ReadSwept(u8),
    RemoveSwept(u8),
    // in
    Hold,
    // Hold::give_back
    LookAtRelease,
    Remove,
    /// `take` was refused: drops its private names.
    Refused,
    Ended,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) next: Next,
    /// `privates.len()`.
    pub(super) levels: u8,
    /// The files behind its private names, which it has open.
    pub(super) files: [File; LEVELS],
    /// The file at which it looks.
    pub(super) open: File,
}

pub(super) const PROCESS: Process = Process {
    next: Next::Start,
    levels: 0,
    files: [NO_FILE; LEVELS],
    open: NO_FILE,
};

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What the public names stand for.
    pub(super) public: [File; LEVELS],
    /// What the private names stand for, which bear a number and a level.
    pub(super) private: [[File; LEVELS]; PROCESSES],
    texts: [Text; FILES],
    pub(super) processes: [Process; PROCESSES],
    pub(super) kills: u8,
    pub(super) restarts: u8,
    /// Somebody has found his own file replaced, or has removed another's.
    pub(super) harm: bool,
}

impl State {
    /// Nobody is there yet; with a stale file, or none.
    pub(super) fn new(stale: bool, kills: u8, restarts: u8) -> Self {
        let mut state = Self {
            public: [NO_FILE; LEVELS],
            private: [[NO_FILE; LEVELS]; PROCESSES],
            texts: [Text::Blank; FILES],
            processes: [PROCESS; PROCESSES],
            kills,
            restarts,
            harm: false,
        };
        if stale {
            state.public[0] = 0;
            state.texts[0] = Text::Stranger;
        }
        state
    }

    pub(super) fn text(&self, file: File) -> Text {
        self.texts[usize::from(file)]
    }

    pub(super) fn set_text(&mut self, file: File, text: Text) {
        self.texts[usize::from(file)] = text;
    }

    pub(super) fn is_alive(&self, process: u8) -> bool {
        let next = self.processes[usize::from(process)].next;
        !matches!(next, Next::Start | Next::Ended | Next::Dead)
    }

    /// The process is gone. Its names stay, unless it had dropped them.
    pub(super) fn end(&mut self, who: usize, next: Next) {
        self.processes[who] = Process { next, ..PROCESS };
    }

    /// Makes a file, without a name.
    pub(super) fn make(&mut self) -> File {
        let mut in_use = [false; FILES];
        self.for_each_file(|file| in_use[usize::from(*file)] = true);
        let file = in_use.iter().position(|in_use| !in_use);
        let file = file.expect("there are more files than can be referred to") as File;
        self.set_text(file, Text::Blank);
        file
    }

    fn for_each_file(&mut self, mut visit: impl FnMut(&mut File)) {
        let own = self.processes.iter_mut().flat_map(|process| {
            let files = process.files.iter_mut();
            files.chain([&mut process.open])
        });
        let private = self.private.iter_mut().flatten();
        let all = self.public.iter_mut().chain(private).chain(own);
        all.filter(|file| **file != NO_FILE).for_each(&mut visit);
    }

    /// The one among the states that differ only in which number stands for which file.
    pub(super) fn in_normal_form(mut self) -> Self {
        let mut new_numbers = [NO_FILE; FILES];
        let mut texts = [Text::Blank; FILES];
        let mut count = 0;
        let old_texts = self.texts;
        self.for_each_file(|file| {
            let old = usize::from(*file);
            if new_numbers[old] == NO_FILE {
                new_numbers[old] = count;
                texts[usize::from(count)] = old_texts[old];
                count += 1;
            }
            *file = new_numbers[old];
        });
        self.texts = texts;
        self
    }

    /// How many processes go by it that the file is theirs.
    pub(super) fn holders(&self) -> usize {
        let is_in = |process: &&Process| {
            matches!(
                process.next,
                Next::Hold | Next::LookAtRelease | Next::Remove
            )
        };
        self.processes.iter().filter(is_in).count()
    }
}
