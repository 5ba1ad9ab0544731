//! A directory with a pidfile in it and the files of others, and what must be true of it whatever
//! has happened.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::{stale_record, text};
use rustix::fs::{FlockOperation, flock};

use super::cases::{Case, There};

/// Nobody's pidfile, though they look like what belongs to one.
const OTHERS: &[&str] = &[
    "other.pid",
    "app.pid.txt",
    ".app.pid.notes",
    ".app.pid.2147483647-1.pidlock",
];

const PIDFILE: &str = "app.pid";

/// Everything that there is to a file.
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
    /// Another process, as seen from the one that is led.
    holder: Option<PidGuard>,
}

/// What is wrong, if anything.
pub(crate) type Checked = Result<(), String>;

pub(crate) fn check(good: bool, wrong: impl FnOnce() -> String) -> Checked {
    if good { Ok(()) } else { Err(wrong()) }
}

impl Place {
    pub(crate) fn new(case: Case) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for name in OTHERS {
            fs::write(dir.path().join(name), "not yours").expect("a file");
        }
        let path = match case.there {
            There::NoDirectory => dir.path().join("new/newer/app.pid"),
            _ => dir.path().join(PIDFILE),
        };
        let mut place = Self {
            case,
            dir,
            path,
            before: Snapshot::new(),
            holder: None,
        };
        match case.there {
            There::Nothing | There::NoDirectory => {}
            There::Stale => fs::write(&place.path, stale_record()).expect("a stale file"),
            There::Held => place.holder = Some(place.file().acquire().expect("a start")),
        }
        place.before = place.snapshot();
        place
    }

    fn file(&self) -> PidFile {
        PidFile::at(&self.path)
            .lock(self.case.locks())
            .keep(self.case.keeps())
    }

    fn snapshot(&self) -> Snapshot {
        fs::read_dir(self.dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_name() != "new")
            .map(|entry| {
                let metadata = entry.metadata().expect("a file");
                let found = Entry {
                    bytes: fs::read(entry.path()).expect("a file"),
                    inode: metadata.ino(),
                    mode: metadata.mode(),
                    modified: (metadata.mtime(), metadata.mtime_nsec()),
                };
                (entry.file_name().to_string_lossy().into_owned(), found)
            })
            .collect()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().expect("it is in one")
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == 0)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holder.is_some()
    }

    /// The files of others are as they were; so is the pidfile, if it is another's or was only looked
    /// at. Unless `new_names`, there is nothing that was not there.
    pub(crate) fn check_others(&self, new_names: bool) -> Checked {
        let now = self.snapshot();
        let untouched = self.holder.is_some() || self.case.has("status");
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
        check(new.is_none(), || format!("{new:?} stayed"))?;
        let made = self.case.there == There::NoDirectory && self.path.exists();
        check(!made, || "the pidfile stayed".into())
    }

    /// A start of another process is refused, and by the lock.
    pub(crate) fn check_taken(&self) -> Checked {
        self.check_locked()?;
        match self.file().acquire() {
            Ok(_) => Err("two are in".into()),
            Err(error) => check(error.is_contention(), || {
                format!("who is second is told: {error}")
            }),
        }
    }

    fn check_locked(&self) -> Checked {
        if !self.case.locks() {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        let free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
        check(!free, || "nobody has the lock".into())
    }

    /// The holder that was there before is unharmed. Then it ends.
    pub(crate) fn check_holder(&mut self) -> Checked {
        let Some(holder) = self.holder.take() else {
            return Ok(());
        };
        let words = |error: pidlock_core::PidFileError| format!("to the holder: {error}");
        holder.verify().map_err(words)?;
        self.check_locked()?;
        holder.close().map_err(words)
    }

    /// The next start gets in, at once, and leaves nothing behind but what it is to keep.
    pub(crate) fn check_free(&self) -> Checked {
        self.check_next(|_, _| false)
    }

    /// The same where names could not be removed, and without locks those that only a start without
    /// a fault can have removed may stay: private ones while their process lives, and blank ones of
    /// a higher level.
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
            .map_err(|error| format!("the next start is told: {error}"))?;
        let record = text(&self.path);
        check(record == format!("{}\n", std::process::id()), || {
            format!("the next start wrote {record:?}")
        })?;
        guard
            .close()
            .map_err(|error| format!("the next end: {error}"))?;
        let (mut now, mut before) = (self.snapshot(), self.before.clone());
        before.remove(PIDFILE);
        now.retain(|name, entry| before.contains_key(name) || !may_stay(name, entry));
        let kept = now.remove(PIDFILE);
        check(now == before, || {
            format!("after the next start there is {now:?} and not {before:?}")
        })?;
        let as_asked = match self.case.keeps() {
            true => kept.as_ref().is_some_and(|kept| kept.bytes.is_empty()),
            false => !self.path.exists(),
        };
        check(as_asked, || format!("the next start left {kept:?}"))
    }
}
