//! The path of a pidfile: rules for names, the default name, the default directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{self, Component, Path, PathBuf};

use crate::error::{During, PidFileError, Quoted, Result};
use crate::sys::{self, AbsPath};

const SUFFIX: &str = ".pid";

/// Which file is meant. Resolved when it is used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Location {
    pub(crate) exact: Option<PathBuf>,
    pub(crate) name: Option<OsString>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) without_suffix: bool,
    pub(crate) temp_dir: bool,
}

impl Location {
    /// Returns the absolute path. May look for a writable directory; creates nothing.
    pub(crate) fn resolve(&self) -> Result<AbsPath> {
        let Some(path) = &self.exact else {
            return absolute(&self.directory()?.join(self.file_name()?));
        };
        if self.name.is_some() || self.dir.is_some() || self.without_suffix || self.temp_dir {
            return Err(PidFileError::configuration(format!(
                "pidfile {} is an exact path and cannot be combined with name, dir, suffix or \
                 temp_dir",
                Quoted(path)
            )));
        }
        check_exact(path)?;
        absolute(path)
    }

    fn file_name(&self) -> Result<OsString> {
        let mut name = match &self.name {
            Some(name) => name.clone(),
            None => program_name()?,
        };
        check_name(&name)?;
        if !self.without_suffix && !name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            name.push(SUFFIX);
        }
        Ok(name)
    }

    fn directory(&self) -> Result<PathBuf> {
        match &self.dir {
            Some(_) if self.temp_dir => Err(PidFileError::configuration(
                "pidfile settings dir and temp_dir are mutually exclusive",
            )),
            Some(dir) if dir.as_os_str().is_empty() => Err(PidFileError::configuration(
                "pidfile directory '' is empty; give a path, or omit dir for the default",
            )),
            Some(dir) => {
                reject_nul(dir.as_os_str(), "directory")?;
                Ok(dir.clone())
            }
            None if self.temp_dir => Ok(temporary_directory()),
            None => Ok(default_directory()),
        }
    }
}

fn absolute(path: &Path) -> Result<AbsPath> {
    AbsPath::resolve(path).during("find", path)
}

fn check_exact(path: &Path) -> Result<()> {
    reject_nul(path.as_os_str(), "path")?;
    let names_a_file = matches!(path.components().next_back(), Some(Component::Normal(_)))
        && !path.as_os_str().as_encoded_bytes().ends_with(b"/")
        && !path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    if names_a_file {
        return Ok(());
    }
    Err(PidFileError::configuration(format!(
        "pidfile path {} does not name a file",
        Quoted(path)
    )))
}

/// A name must be a single path component.
fn check_name(name: &OsStr) -> Result<()> {
    let refuse = |problem: &str| {
        Err(PidFileError::configuration(format!(
            "pidfile name {} {problem}",
            Quoted(name.as_ref())
        )))
    };
    reject_nul(name, "name")?;
    match name.as_encoded_bytes() {
        b"" => refuse("is empty"),
        b"." | b".." => refuse("is not a file name"),
        bytes if bytes.iter().any(|&byte| path::is_separator(byte.into())) => refuse(
            "contains a path separator; a name is one component: give the directory with \
             dir = \"...\", or the whole path with PidFile::at or path = \"...\"",
        ),
        // `:` names a drive or a stream; the others are reserved.
        bytes if cfg!(windows) && bytes.iter().any(|byte| b":<>\"|?*".contains(byte)) => {
            refuse("contains a character not allowed in file names")
        }
        _ => Ok(()),
    }
}

fn reject_nul(text: &OsStr, what: &str) -> Result<()> {
    if text.as_encoded_bytes().contains(&0) {
        return Err(PidFileError::configuration(format!(
            "pidfile {what} {} contains a NUL character",
            Quoted(text.as_ref())
        )));
    }
    Ok(())
}

/// The file name of `argv[0]`, as Python's `pid` takes `sys.argv[0]`. Unlike `/proc/self/exe` it
/// survives an upgrade of the executable. The suffix is always appended, as there.
fn program_name() -> Result<OsString> {
    env::args_os()
        .next()
        .as_deref()
        .and_then(|program| Path::new(program).file_name())
        .map(|program| {
            let mut name = program.to_owned();
            name.push(SUFFIX);
            name
        })
        .ok_or_else(|| PidFileError::configuration("argv[0] is empty; set a pidfile name"))
}

/// The directory that Python's `pid` picks, so that both programs exclude each other. No environment
/// variable moves it: a user's cron job, login session and service must meet in one place.
#[cfg(unix)]
fn default_directory() -> PathBuf {
    let uid = sys::effective_uid().to_string();
    let user_dirs = ["/run/user", "/var/run/user"].map(|base| Path::new(base).join(&uid));
    let system_dirs = ["/run", "/var/run"].map(PathBuf::from);
    user_dirs
        .into_iter()
        .chain(system_dirs)
        .find(|directory| sys::is_writable_dir(directory))
        .unwrap_or_else(temporary_directory)
}

#[cfg(windows)]
fn default_directory() -> PathBuf {
    trusted_env_var("APPDATA").map_or_else(temporary_directory, PathBuf::from)
}

/// The directory that Python's `tempfile.gettempdir()` would pick.
#[cfg(unix)]
fn temporary_directory() -> PathBuf {
    ["TMPDIR", "TEMP", "TMP"]
        .into_iter()
        .filter_map(trusted_env_var)
        .map(PathBuf::from)
        .chain(["/tmp", "/var/tmp", "/usr/tmp"].map(PathBuf::from))
        .find(|directory| sys::is_writable_dir(directory))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

#[cfg(windows)]
fn temporary_directory() -> PathBuf {
    env::temp_dir()
}

/// Reads an environment variable that is not empty, unless the program is set-user-ID.
fn trusted_env_var(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty() && !sys::is_secure_execution())
}
