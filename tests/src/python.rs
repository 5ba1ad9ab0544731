//! Python with the packages `pid` 3.0.4, `filelock` and `python-daemon` from PyPI, in a virtual environment.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{said, skip};

/// A virtual environment in a temporary directory.
#[derive(Debug)]
pub struct Environment {
    dir: tempfile::TempDir,
}

impl Environment {
    /// Returns the environment that all tests of this program share. The first call creates it.
    /// Returns `None` and reports a skipped test if it cannot be created.
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
        let packages = ["pid==3.0.4", "filelock", "python-daemon"];
        let install = ["-m", "pip", "install", "-q"];
        ok(Command::new(environment.python())
            .args(install)
            .args(packages))?;
        Ok(environment)
    }

    /// The path of the Python interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.dir.path().join("venv/bin/python")
    }
}
