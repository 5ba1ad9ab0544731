//! Python with the packages `pid` 3.0.4, `filelock` and `python-daemon` from PyPI, in a virtual environment.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::{said, skip};

const PACKAGES: [&str; 3] = ["pid==3.0.4", "filelock", "python-daemon"];

/// A virtual environment beside the programs of the tests, or in a temporary directory if this user
/// cannot write there.
#[derive(Debug)]
pub struct Environment {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl Environment {
    /// Returns the environment that all tests share. The first call creates it. Returns `None` and
    /// reports a skipped test if it cannot be created.
    pub fn get() -> Option<&'static Self> {
        static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
        match ENVIRONMENT.get_or_init(Self::find_or_make) {
            Ok(environment) => Some(environment),
            Err(why) => {
                skip(&format!("no Python with pid and filelock: {why}"));
                None
            }
        }
    }

    fn find_or_make() -> Result<Self, String> {
        let name = format!("python with {}", PACKAGES.join(" "));
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let path = program.with_file_name(name);
        let mut environment = Self {
            path,
            _temporary: None,
        };
        let mut check = Command::new(environment.python());
        check.args(["-c", "import pid, filelock, daemon"]);
        if check.output().is_ok_and(|it| it.status.success()) {
            return Ok(environment);
        }
        let _ = fs::remove_dir_all(&environment.path);
        let beside = TempDir::new_in(program.parent().unwrap_or(Path::new(".")));
        let made = beside.or_else(|_| TempDir::new());
        let made = made.map_err(|error| error.to_string())?;
        make(made.path())?;
        // Fails if the directory is on another file system, and if another test was faster.
        if fs::rename(made.path(), &environment.path).is_err() {
            environment.path = made.path().to_owned();
            environment._temporary = Some(made);
        }
        Ok(environment)
    }

    /// The path of the Python interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        python(&self.path)
    }
}

fn python(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

fn make(environment: &Path) -> Result<(), String> {
    let run = |command: &mut Command| {
        let output = command.env("HOME", environment).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(said(&output)),
        }
    };
    let venv = |python| run(Command::new(python).args(["-m", "venv"]).arg(environment));
    venv("python3").or_else(|_| venv("/usr/bin/python3"))?;
    let install = ["-m", "pip", "install", "-q"];
    run(Command::new(python(environment))
        .args(install)
        .args(PACKAGES))
}
