//! Who is measured: the floor, us, and others that do the same job, each as its documentation says.

use std::any::Any;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::floor::{self, Look, Start, SystemPath};
use crate::operation::Operation;

/// One of those in this process.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// On command lines, and as part of file names.
    pub key: &'static str,
    /// In tables.
    pub name: &'static str,
    /// What it does not do that others do.
    pub skips: &'static str,
    /// Whether it excludes, writes the PID, names the holder and removes the file.
    pub does_it_all: bool,
    /// Acquires and releases.
    pub cycle: fn(&Path),
    /// Is refused; names the holder if it can.
    pub refused: fn(&Path),
    /// Looks, if it can.
    pub look: Option<fn(&Path)>,
    /// Holds the file until what it returns is dropped.
    pub hold: fn(PathBuf) -> Box<dyn Any>,
}

impl Contender {
    /// How it does an operation, if it does.
    #[must_use]
    pub fn operation(&self, operation: Operation) -> Option<fn(&Path)> {
        match operation {
            Operation::Fresh | Operation::Stale => Some(self.cycle),
            Operation::Contended => Some(self.refused),
            Operation::Status => self.look,
        }
    }

    /// The one with this key.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn by_key(key: &str) -> &'static Self {
        ALL.iter()
            .find(|contender| contender.key == key)
            .unwrap_or_else(|| panic!("no contender {key}"))
    }
}

/// The key of the one that the others are measured by.
pub const FLOOR: &str = "floor";

/// All of them, the floor first.
pub const ALL: &[Contender] = &[
    Contender {
        key: FLOOR,
        name: "floor: raw system calls",
        skips: "",
        does_it_all: true,
        cycle: |path| {
            let path = SystemPath::new(path);
            let Ok(Start::Held(held)) = floor::acquire(path.get()) else {
                panic!("not free");
            };
            held.release().expect("it is ours to remove");
        },
        refused: |path| {
            let path = SystemPath::new(path);
            assert!(
                matches!(floor::acquire(path.get()), Ok(Start::Refused(Some(_)))),
                "must be refused"
            );
        },
        look: Some(|path| {
            let look = floor::look(SystemPath::new(path).get());
            assert!(matches!(look, Ok(Look::Locked(Some(_)))), "{look:?}");
        }),
        hold: |path| {
            let path: &'static SystemPath = Box::leak(Box::new(SystemPath::new(&path)));
            let Ok(held @ Start::Held(_)) = floor::acquire(path.get()) else {
                panic!("not free");
            };
            Box::new(held)
        },
    },
    Contender {
        key: "ours",
        name: "**pidlock-core**",
        skips: "",
        does_it_all: true,
        cycle: |path| {
            let guard = pidlock_core::PidFile::at(path).acquire();
            guard.expect("free").close().expect("it is ours to remove");
        },
        refused: |path| {
            let error = pidlock_core::PidFile::at(path).acquire();
            let error = error.expect_err("must be refused");
            assert!(error.pid().is_some(), "{error}");
        },
        look: Some(|path| {
            let status = pidlock_core::PidFile::at(path).status();
            assert!(
                matches!(status, Ok(pidlock_core::Status::Locked { pid: Some(_) })),
                "{status:?}"
            );
        }),
        hold: |path| Box::new(pidlock_core::PidFile::at(path).acquire().expect("free")),
    },
    Contender {
        key: "pidfile-rs",
        name: "`pidfile-rs` 0.3",
        skips: "has no status; removes whatever is at its path",
        does_it_all: true,
        cycle: |path| {
            let file = pidfile_rs::Pidfile::new(path, Permissions::from_mode(0o644));
            file.expect("free").write().expect("it can be written");
        },
        refused: |path| {
            let error = pidfile_rs::Pidfile::new(path, Permissions::from_mode(0o644));
            assert!(
                matches!(
                    error,
                    Err(pidfile_rs::PidfileError::AlreadyRunning { pid: Some(_) })
                ),
                "{error:?}"
            );
        },
        look: None,
        hold: |path| {
            let file = pidfile_rs::Pidfile::new(&path, Permissions::from_mode(0o644));
            let mut file = file.expect("free");
            file.write().expect("it can be written");
            Box::new(file)
        },
    },
    Contender {
        key: "pidlock",
        name: "`pidlock` 0.2",
        skips: "takes no lock: over a stale file it does not exclude",
        does_it_all: false,
        cycle: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("a path");
            lock.acquire().expect("free");
            lock.release().expect("it is ours to remove");
        },
        refused: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("a path");
            lock.acquire().expect_err("must be refused");
            let owner = lock.get_owner().expect("it can be read");
            assert!(owner.is_some(), "must name the holder");
        },
        look: Some(|path| {
            let active = peer_pidlock::Pidlock::new_validated(path)
                .expect("a path")
                .is_active();
            assert_eq!(active, Ok(true));
        }),
        hold: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("a path");
            lock.acquire().expect("free");
            Box::new(lock)
        },
    },
    Contender {
        key: "pidfile2",
        name: "`pidfile2` 0.1",
        skips: "takes no lock: does not exclude; names no holder",
        does_it_all: false,
        cycle: |path| drop(pidfile::PidFile::new(path).expect("free")),
        refused: |path| drop(pidfile::PidFile::new(path).expect_err("must be refused")),
        look: Some(|path| {
            let locked = pidfile::PidFile::is_locked(path);
            assert!(locked.expect("it can be read"));
        }),
        hold: |path| Box::new(pidfile::PidFile::new(path).expect("free")),
    },
    Contender {
        key: "fslock",
        name: "`fslock` 0.2",
        skips: "leaves the file; names no holder; has no status",
        does_it_all: false,
        cycle: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("it can be opened");
            assert!(file.try_lock_with_pid().expect("it can be locked"));
            file.unlock().expect("it can be unlocked");
        },
        refused: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("it can be opened");
            assert!(!file.try_lock_with_pid().expect("it can be locked"));
        },
        look: None,
        hold: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("it can be opened");
            assert!(file.try_lock_with_pid().expect("it can be locked"));
            Box::new(file)
        },
    },
];
