//! The directory that contenders share, and the counts of their outcomes.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use pidlock_core::PidFile;
use pidlock_tests::{stale_record, text};

/// The number of contenders with each outcome, which their exit statuses show.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) inside: u32,
    pub(crate) crashed: u32,
    pub(crate) terminated: u32,
    pub(crate) refused: u32,
    pub(crate) not_alone: u32,
    pub(crate) not_named: u32,
    pub(crate) failed: u32,
}

impl Tally {
    pub(crate) fn count(&mut self, status: ExitStatus) {
        *match (status.code(), status.signal()) {
            (Some(0), _) => &mut self.inside,
            (Some(3), _) => &mut self.refused,
            (Some(5), _) => &mut self.not_alone,
            (Some(6), _) => &mut self.not_named,
            (None, Some(9)) => &mut self.crashed,
            (None, Some(15)) => &mut self.terminated,
            _ => &mut self.failed,
        } += 1;
    }

    pub(crate) fn add(mut self, other: &Self) -> Self {
        self.inside += other.inside;
        self.crashed += other.crashed;
        self.terminated += other.terminated;
        self.refused += other.refused;
        self.not_alone += other.not_alone;
        self.not_named += other.not_named;
        self.failed += other.failed;
        self
    }

    /// Returns `true` if a contender has held the file, one was refused and one was killed.
    pub(crate) fn has_everything(&self) -> bool {
        self.inside > 0 && self.refused > 0 && self.crashed + self.terminated > 0
    }

    pub(crate) fn violations(&self) -> u32 {
        self.not_alone + self.not_named + self.failed
    }
}

pub(crate) struct Arena {
    dir: PathBuf,
    _removed: Option<tempfile::TempDir>,
    pub(crate) how: &'static str,
}

impl Arena {
    pub(crate) fn new(how: &'static str, stale: bool) -> Self {
        Self::within(&std::env::temp_dir(), how, stale)
    }

    /// Creates a directory below `place`, and so on the file system of `place`.
    pub(crate) fn within(place: &Path, how: &'static str, stale: bool) -> Self {
        let dir = tempfile::tempdir_in(place).expect("create a directory");
        let arena = Self {
            dir: dir.path().to_owned(),
            _removed: Some(dir),
            how,
        };
        if stale {
            std::fs::write(arena.pidfile(), stale_record()).expect("write a stale file");
        }
        arena
    }

    /// Uses an existing directory.
    pub(crate) fn exactly(dir: &Path, how: &'static str) -> Self {
        Self {
            dir: dir.to_owned(),
            _removed: None,
            how,
        }
    }

    pub(crate) fn pidfile(&self) -> PathBuf {
        self.path("app.pid")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The pidfile with the settings of the contenders, for use in the test itself.
    pub(crate) fn settings(&self) -> PidFile {
        PidFile::at(self.pidfile())
            .lock(self.how != "unlocked")
            .keep(self.how == "kept")
    }

    pub(crate) fn contender(&self, gate: &Path, hold: &str) -> Command {
        self.contender_that(self.how, gate, hold)
    }

    /// A contender with the protocol `how`, which can differ from the arena's.
    pub(crate) fn contender_that(&self, how: &str, gate: &Path, hold: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_contender"));
        command
            .arg(how)
            .args([self.pidfile(), self.path("oracle"), gate.into()])
            .arg(hold);
        command
    }

    /// Asserts that the next start succeeds, whatever the contenders have left, and that its
    /// release leaves no file unless it is kept. All contenders must have exited.
    pub(crate) fn assert_free_afterwards(&self) {
        let guard = self.settings().acquire().expect("acquire after the storm");
        assert_eq!(text(guard.path()), format!("{}\n", std::process::id()));
        guard.close().expect("release after the storm");
        assert_eq!(text(&self.pidfile()), "");
        assert_eq!(self.pidfile().exists(), self.how == "kept");
    }
}
