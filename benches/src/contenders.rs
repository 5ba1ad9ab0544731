//! The contenders: the floor, pidlock-core, and other crates for the same purpose. Each is used as
//! its documentation says.

use std::any::Any;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::floor::{self, Look, Start, SystemPath};
use crate::operation::Operation;

/// A contender in this process.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// The key on command lines and in file names.
    pub key: &'static str,
    /// The name in tables.
    pub name: &'static str,
    /// The missing features, as listed in tables.
    pub skips: &'static str,
    /// Acquires and releases the file.
    pub cycle: fn(&Path),
    /// Starts while another process holds the file, and checks that the start is refused. Names the
    /// holder if the contender supports that.
    pub refused: fn(&Path),
    /// Inspects the file, if the contender supports that.
    pub look: Option<fn(&Path)>,
    /// Holds the file until the returned value is dropped.
    pub hold: fn(PathBuf) -> Box<dyn Any>,
}

impl Contender {
    /// Returns the function for an operation, if the contender supports the operation.
    #[must_use]
    pub fn operation(&self, operation: Operation) -> Option<fn(&Path)> {
        match operation {
            Operation::Fresh | Operation::Stale => Some(self.cycle),
            Operation::Contended => Some(self.refused),
            Operation::Status => self.look,
        }
    }

    /// Returns the contender with this key.
    ///
    /// # Panics
    ///
    /// If there is no such contender.
    #[must_use]
    pub fn by_key(key: &str) -> &'static Self {
        ALL.iter()
            .find(|contender| contender.key == key)
            .unwrap_or_else(|| panic!("no contender {key}"))
    }
}

/// The key of the contender that is the base of the ratios.
pub const FLOOR: &str = "floor";

/// All contenders, the floor first.
pub const ALL: &[Contender] = &[
    Contender {
        key: FLOOR,
        name: "floor: raw system calls",
        skips: "",
        cycle: |path| {
            let path = SystemPath::new(path);
            let Ok(Start::Held(held)) = floor::acquire(path.get()) else {
                panic!("cannot acquire");
            };
            held.release().expect("release");
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
                panic!("cannot acquire");
            };
            Box::new(held)
        },
    },
    Contender {
        key: "ours",
        name: "**pidlock-core**",
        skips: "",
        cycle: |path| {
            let guard = pidlock_core::PidFile::at(path).acquire();
            guard.expect("acquire").close().expect("release");
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
        hold: |path| Box::new(pidlock_core::PidFile::at(path).acquire().expect("acquire")),
    },
    Contender {
        key: "pidfile-rs",
        name: "`pidfile-rs` 0.3",
        skips: "has no status; removes whatever is at its path",
        cycle: |path| {
            let file = pidfile_rs::Pidfile::new(path, Permissions::from_mode(0o644));
            file.expect("acquire").write().expect("write the PID");
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
            let mut file = file.expect("acquire");
            file.write().expect("write the PID");
            Box::new(file)
        },
    },
    Contender {
        key: "pidlock",
        name: "`pidlock` 0.2",
        skips: "takes no lock: over a stale file it does not exclude",
        cycle: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("validate the path");
            lock.acquire().expect("acquire");
            lock.release().expect("release");
        },
        refused: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("validate the path");
            lock.acquire().expect_err("must be refused");
            let owner = lock.get_owner().expect("read the owner");
            assert!(owner.is_some(), "the refusal must name the holder");
        },
        look: Some(|path| {
            let active = peer_pidlock::Pidlock::new_validated(path)
                .expect("validate the path")
                .is_active();
            assert_eq!(active, Ok(true));
        }),
        hold: |path| {
            let mut lock = peer_pidlock::Pidlock::new_validated(path).expect("validate the path");
            lock.acquire().expect("acquire");
            Box::new(lock)
        },
    },
    Contender {
        key: "pidfile2",
        name: "`pidfile2` 0.1",
        skips: "takes no lock: does not exclude; names no holder",
        cycle: |path| drop(pidfile::PidFile::new(path).expect("acquire")),
        refused: |path| drop(pidfile::PidFile::new(path).expect_err("must be refused")),
        look: Some(|path| {
            let locked = pidfile::PidFile::is_locked(path);
            assert!(locked.expect("inspect the file"));
        }),
        hold: |path| Box::new(pidfile::PidFile::new(path).expect("acquire")),
    },
    Contender {
        key: "fslock",
        name: "`fslock` 0.2",
        skips: "leaves the file; names no holder; has no status",
        cycle: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("open the file");
            assert!(file.try_lock_with_pid().expect("lock the file"));
            file.unlock().expect("unlock the file");
        },
        refused: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("open the file");
            assert!(!file.try_lock_with_pid().expect("lock the file"));
        },
        look: None,
        hold: |path| {
            let mut file = fslock::LockFile::open(path.as_os_str()).expect("open the file");
            assert!(file.try_lock_with_pid().expect("lock the file"));
            Box::new(file)
        },
    },
];
