//! Python with `pid` 3.0.4 and `filelock`, from their registry, in an environment of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{said, skip};

/// A virtual environment, which goes with this program.
#[derive(Debug)]
pub struct Environment {
    dir: tempfile::TempDir,
}

impl Environment {
    /// Made once for all tests of this program; `None`, and said so, where it cannot be.
    pub fn get() -> Option<&'static Self> {
        static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
        match ENVIRONMENT.get_or_init(Self::make) {
            Ok(environment) => Some(environment),
            Err(why) => {
                skip(&format!("no Python with pid and filelock: {why}"));
                None
            }
        }
    }

    fn make() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let environment = Self { dir };
        let ok = |command: &mut Command| {
            let output = command
                .env("HOME", environment.dir.path())
                .output()
                .map_err(|e| e.to_string())?;
            if output.status.success() {
                Ok(())
            } else {
                Err(said(&output))
            }
        };
        let venv = |python: &str| {
            ok(Command::new(python)
                .args(["-m", "venv"])
                .arg(environment.dir.path().join("venv")))
        };
        venv("python3").or_else(|_| venv("/usr/bin/python3"))?;
        let install = ["-m", "pip", "install", "-q", "pid==3.0.4", "filelock"];
        ok(Command::new(environment.python()).args(install))?;
        Ok(environment)
    }

    /// Its interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.dir.path().join("venv/bin/python")
    }
}
