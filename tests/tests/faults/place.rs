//! A directory with a pidfile and unrelated files, and the checks that must succeed after any
//! fault.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::{Program, stale_record, text};
use rustix::fs::{FlockOperation, flock};

use super::cases::{Case, Initial};
use super::runs::Moment;

/// Unrelated files with names that resemble those of a pidfile.
const OTHERS: &[&str] = &[
    "other.pid",
    "app.pid.txt",
    ".app.pid.notes",
    ".app.pid.2147483647-1.pidlock",
];

const PIDFILE: &str = "app.pid";

/// The contents and the metadata of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    bytes: Vec<u8>,
    inode: u64,
    mode: u32,
    modified: (i64, i64),
}

pub(crate) type Snapshot = BTreeMap<String, Entry>;

pub(crate) struct Place {
    case: Case,
    dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    before: Snapshot,
    /// Set while a process other than the traced one holds the file.
    holder: Option<Holder>,
    /// How often the traced process has begun to sleep.
    sleeps: u32,
}

enum Holder {
    /// The test process.
    Test(PidGuard),
    Program(Program),
}

/// `Err` with a description of what is wrong.
pub(crate) type Checked = Result<(), String>;

pub(crate) fn check(good: bool, wrong: impl FnOnce() -> String) -> Checked {
    if good { Ok(()) } else { Err(wrong()) }
}

impl Place {
    pub(crate) fn new(case: Case) -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        for name in OTHERS {
            fs::write(dir.path().join(name), "not yours").expect("write the file");
        }
        let path = match case.initial {
            Initial::NoDirectory => dir.path().join("new/newer/app.pid"),
            _ => dir.path().join(PIDFILE),
        };
        let mut place = Self {
            case,
            dir,
            path,
            before: Snapshot::new(),
            holder: None,
            sleeps: 0,
        };
        match case.initial {
            Initial::Nothing | Initial::NoDirectory => {}
            Initial::Stale => fs::write(&place.path, stale_record()).expect("write a stale file"),
            Initial::Held => {
                let guard = place.file().acquire().expect("acquire the file");
                place.holder = Some(Holder::Test(guard));
            }
            Initial::Releasing | Initial::Dying => {
                place.holder = Some(Holder::Program(place.start_holder()));
                if case.stops() {
                    // It gets SIGTERM when it goes on.
                    place.signal_holder(Signal::SIGSTOP);
                }
            }
        }
        place.before = place.snapshot();
        place
    }

    fn file(&self) -> PidFile {
        PidFile::at(&self.path)
            .lock(self.case.locks())
            .keep(self.case.keeps())
    }

    fn start_holder(&self) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
        command.arg("--at").arg(&self.path);
        let settings = [
            ("--no-lock", !self.case.locks()),
            ("--keep", self.case.keeps()),
        ];
        command.args(settings.iter().filter(|it| it.1).map(|it| it.0));
        let mut holder = Program::start(&mut command);
        holder.expect(&format!("held {}", self.path.display()));
        holder
    }

    /// Lets a program that holds the file end when the traced process begins to sleep.
    pub(crate) fn end_holder_at_sleep(&mut self, moment: Moment) {
        const SLEEPS: [libc::c_long; 3] =
            [libc::SYS_clock_nanosleep, libc::SYS_futex, libc::SYS_ppoll];
        let sleeps = matches!(moment, Moment::Before(call) if SLEEPS.iter().any(|&it| call.is(it)));
        self.sleeps += u32::from(sleeps);
        // The first sleep of a start is over at once, so that it makes an attempt after its watch
        // has begun. The first one of a stop, and one more where processes do not lock, only looks
        // at the holder.
        let enough = if self.case.locks() { 2 } else { 3 };
        if self.sleeps < enough {
            return;
        }
        if self.case.waits() {
            self.end_holder();
        }
        if self.case.stops() {
            self.signal_holder(Signal::SIGCONT);
        }
    }

    fn signal_holder(&self, signal: Signal) {
        if let Some(Holder::Program(holder)) = &self.holder {
            let pid = Pid::from_raw(holder.pid() as i32);
            kill(pid, signal).expect("signal the holder");
        }
    }

    /// Ends the program that holds the file.
    pub(crate) fn end_holder(&mut self) {
        if let Some(Holder::Program(mut holder)) = self.holder.take() {
            match self.case.initial {
                Initial::Dying => holder.kill(),
                _ => assert!(holder.finish().0.success(), "the holder releases the file"),
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        fs::read_dir(self.dir.path())
            .expect("read the directory")
            .map(|entry| entry.expect("read an entry"))
            .filter(|entry| entry.file_name() != "new")
            .map(|entry| {
                let metadata = entry.metadata().expect("inspect the file");
                let found = Entry {
                    bytes: fs::read(entry.path()).expect("read the file"),
                    inode: metadata.ino(),
                    mode: metadata.mode(),
                    modified: (metadata.mtime(), metadata.mtime_nsec()),
                };
                (entry.file_name().to_string_lossy().into_owned(), found)
            })
            .collect()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().expect("the path has a directory")
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == 0)
    }

    /// The PID of the program that holds the file.
    pub(crate) fn holder_pid(&self) -> Option<u32> {
        match &self.holder {
            Some(Holder::Program(program)) => Some(program.pid()),
            _ => None,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holder.is_some()
    }

    /// Checks that the unrelated files are unchanged. The pidfile must be unchanged, too, if
    /// another process holds it or the operation only reads it. Unless `new_names` is set, no file
    /// may be new.
    pub(crate) fn check_others(&self, new_names: bool) -> Checked {
        let now = self.snapshot();
        let untouched = self.holder.is_some() && !self.case.stops() || self.case.inspects();
        let theirs = |name: &str| untouched || name != PIDFILE;
        for (name, before) in self.before.iter().filter(|(name, _)| theirs(name)) {
            check(now.get(name) == Some(before), || {
                format!("{name} was {before:?} and is {:?}", now.get(name))
            })?;
        }
        if new_names {
            return Ok(());
        }
        let new = now.keys().find(|name| !self.before.contains_key(*name));
        check(new.is_none(), || format!("{new:?} was left behind"))?;
        let made = self.case.initial == Initial::NoDirectory && self.path.exists();
        check(!made, || "the pidfile was left behind".into())
    }

    /// Checks that the file is locked, and that a start of another process is refused.
    pub(crate) fn check_taken(&self) -> Checked {
        self.check_locked()?;
        match self.file().acquire() {
            Ok(_) => Err("two processes hold the file".into()),
            Err(error) => check(error.is_contention(), || {
                format!("the second start failed with: {error}")
            }),
        }
    }

    fn check_locked(&self) -> Checked {
        if !self.case.locks() {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        let free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
        check(!free, || "the file is not locked".into())
    }

    /// Checks that the holder from before the operation still holds the file, and releases it.
    pub(crate) fn check_holder(&mut self) -> Checked {
        if self.case.stops() {
            return self.check_stopped(true, true);
        }
        let Some(holder) = self.holder.take() else {
            return Ok(());
        };
        self.check_locked()?;
        match holder {
            Holder::Test(guard) => guard
                .verify()
                .and_then(|()| guard.close())
                .map_err(|error| format!("error of the holder: {error}")),
            Holder::Program(mut program) => {
                let (status, rest) = program.finish();
                check(status.success() && rest == "closed\n", || {
                    format!("{status} of the holder: {rest}")
                })
            }
        }
    }

    /// Stops the holder, unless an earlier stop has terminated it. `may_hold` and `may_be_gone` tell
    /// what may be found.
    pub(crate) fn check_stopped(&mut self, may_hold: bool, may_be_gone: bool) -> Checked {
        const LONG: Duration = Duration::from_secs(60);
        self.signal_holder(Signal::SIGCONT);
        let Some(Holder::Program(mut program)) = self.holder.take() else {
            return Ok(());
        };
        let holds = self
            .file()
            .stop(LONG)
            .map_err(|error| format!("the next stop failed: {error}"))?;
        let status = program.wait();
        let expected = if holds { may_hold } else { may_be_gone };
        check(expected && status.signal() == Some(libc::SIGTERM), || {
            format!("the holder held the file: {holds}; it ended by {status}")
        })
    }

    /// Checks that the next start succeeds, and that its release leaves nothing but a file that it
    /// has to keep.
    pub(crate) fn check_free(&self) -> Checked {
        self.check_next(|_, _| false)
    }

    /// Checks that the next start succeeds, and that its release leaves only names of other
    /// processes: staging files of a process that `lives`, and blank files of a higher level of the
    /// `lock(false)` protocol.
    pub(crate) fn check_free_but_for_names(&self, lives: bool) -> Checked {
        self.check_next(|name, entry| {
            let private = name.starts_with(".app.pid.") && name.ends_with(".pidlock");
            private && lives || name.starts_with("app.pid.t") && entry.bytes.is_empty()
        })
    }

    fn check_next(&self, may_stay: impl Fn(&str, &Entry) -> bool) -> Checked {
        let guard = self
            .file()
            .acquire()
            .map_err(|error| format!("the next start failed: {error}"))?;
        let record = text(&self.path);
        check(record == format!("{}\n", std::process::id()), || {
            format!("the next start wrote {record:?}")
        })?;
        guard
            .close()
            .map_err(|error| format!("the next release failed: {error}"))?;
        let (mut now, mut before) = (self.snapshot(), self.before.clone());
        before.remove(PIDFILE);
        now.retain(|name, entry| before.contains_key(name) || !may_stay(name, entry));
        let kept = now.remove(PIDFILE);
        check(now == before, || {
            format!("the next start left {now:?} instead of {before:?}")
        })?;
        let as_asked = match self.case.keeps() {
            true => kept.as_ref().is_some_and(|kept| kept.bytes.is_empty()),
            false => !self.path.exists(),
        };
        check(as_asked, || format!("the next start left {kept:?}"))
    }
}
