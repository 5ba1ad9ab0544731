//! The names, the files that they refer to, and the progress of each process in the protocol.

/// The maximum number of processes.
pub(crate) const PROCESSES: usize = 3;

/// The number of public names: the pidfile's and those of the levels above it. No search uses them
/// all.
pub(super) const LEVELS: usize = 5;

/// More files than any state refers to.
const FILES: usize = 16;

type File = u8;
pub(super) const NO_FILE: File = u8::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Text {
    Blank,
    /// The PID of a dead process that is not in the model.
    Stranger,
    /// The PID of a process of the model. A predecessor with this PID can have written it.
    Process(u8),
}

/// Why a process inspects a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// `acquire`: is there a holder? If so, the start is refused and has written nothing.
    First,
    /// `climb`: is the process alive that occupies the name?
    Taken,
    /// `replace_if_stale`: is the name still stale?
    Below,
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// The process does not exist yet.
    Start,
    // inspect
    Open(Why),
    Read(Why),
    AskWhetherItRuns(Why, Text),
    // stage
    MakePrivate {
        again: bool,
    },
    OpenLeftOver,
    ReadLeftOver,
    RemoveLeftOver,
    WritePrivate,
    // climb
    Link,
    LookWhoseItIs,
    DropPrivate,
    // descend
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
    // remove_orphans
    Sweep(u8),
    OpenSwept(u8),
    ReadSwept(u8),
    RemoveSwept(u8),
    // The process holds the pidfile.
    Hold,
    // HeldFile::release
    LookAtRelease,
    Remove,
    /// `climb` refused the start: the process drops its staging files.
    Refused,
    Ended,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) next: Next,
    /// The number of its staging files: the length of `staging` in `climb`.
    pub(super) levels: u8,
    /// Its staging files, which it has open.
    pub(super) files: [File; LEVELS],
    /// The file that it inspects.
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
    /// The file that each public name refers to.
    pub(super) public: [File; LEVELS],
    /// The file that the name of each staging file refers to, by process and level.
    pub(super) private: [[File; LEVELS]; PROCESSES],
    texts: [Text; FILES],
    pub(super) processes: [Process; PROCESSES],
    pub(super) kills: u8,
    pub(super) restarts: u8,
    /// A holder has found its file replaced, or a process has removed the file of another.
    pub(super) harm: bool,
}

impl State {
    /// Returns an initial state: no process exists, and the pidfile is stale or does not exist.
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

    /// Ends a process. Names that it has not removed stay.
    pub(super) fn end(&mut self, who: usize, next: Next) {
        self.processes[who] = Process { next, ..PROCESS };
    }

    /// Creates a file without a name.
    pub(super) fn make(&mut self) -> File {
        let mut in_use = [false; FILES];
        self.for_each_file(|file| in_use[usize::from(*file)] = true);
        let file = in_use.iter().position(|in_use| !in_use);
        let file = file.expect("FILES is large enough") as File;
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

    /// Renumbers the files, so that states that differ only in file numbers become equal.
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

    /// Returns the number of processes that act as holder of the pidfile.
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
