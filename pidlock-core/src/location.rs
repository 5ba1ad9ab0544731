//! The path of a pidfile: rules for names, the default name, the default directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{self, Component, Path, PathBuf};

use crate::error::{During, PidFileError, Result, quoted};
use crate::sys::{self, AbsPath};
use crate::windows_names::{problem_of_name, problem_of_path};

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
            let problem = "cannot be combined with name, dir, suffix or temp_dir";
            check("path", path.as_ref(), Some(problem))?;
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
            check_name(&name)?; // it is longer
        }
        Ok(name)
    }

    fn directory(&self) -> Result<PathBuf> {
        let Some(dir) = &self.dir else {
            return Ok(match self.temp_dir {
                true => temporary_directory(),
                false => default_directory(),
            });
        };
        let problem = match dir.as_os_str().is_empty() {
            _ if self.temp_dir => Some("cannot be combined with temp_dir"),
            true => Some("is empty; give a path, or omit dir for the default"),
            false => windows(problem_of_path, dir.as_ref()),
        };
        check("directory", dir.as_os_str(), problem)?;
        Ok(dir.clone())
    }
}

fn absolute(path: &Path) -> Result<AbsPath> {
    AbsPath::resolve(path).during("find", path)
}

fn check_exact(path: &Path) -> Result<()> {
    let is_file_name = matches!(path.components().next_back(), Some(Component::Normal(_)));
    // `components` leaves out what follows the name in `x/` and `x/.`.
    let bytes = path.as_os_str().as_encoded_bytes();
    let is_at_end = bytes.last().is_some_and(is_separator)
        || matches!(bytes, [.., before, b'.'] if is_separator(before));
    let problem = match is_file_name && !is_at_end {
        false => Some("does not name a file"),
        true => windows(problem_of_path, path.as_ref()),
    };
    check("path", path.as_ref(), problem)
}

/// A name must be a single path component.
fn check_name(name: &OsStr) -> Result<()> {
    let problem = match name.as_encoded_bytes() {
        b"" => Some("is empty"),
        b"." | b".." => Some("is not a file name"),
        bytes if bytes.iter().any(is_separator) => Some(
            "contains a path separator; a name is one component: give the directory with \
             dir = \"...\", or the whole path with PidFile::at or path = \"...\"",
        ),
        _ => windows(problem_of_name, name),
    };
    check("name", name, problem)
}

fn is_separator(&byte: &u8) -> bool {
    path::is_separator(byte.into())
}

/// What is wrong with a text by a rule of Windows, on Windows.
fn windows(rule: fn(&str) -> Option<&'static str>, text: &OsStr) -> Option<&'static str> {
    cfg!(windows).then(|| rule(&text.to_string_lossy()))?
}

/// Returns an error if there is a problem with the text, or if it contains a NUL character.
fn check(what: &str, text: &OsStr, problem: Option<&str>) -> Result<()> {
    let has_nul = text.as_encoded_bytes().contains(&0);
    let nul = has_nul.then_some("contains a NUL character");
    let Some(problem) = nul.or(problem) else {
        return Ok(());
    };
    let text = quoted(text.as_ref());
    let message = format!("pidfile {what} {text} {problem}");
    Err(PidFileError::configuration(message))
}

/// The file name of `argv[0]`, as Python's `pid` takes `sys.argv[0]`. Unlike `/proc/self/exe` it
/// survives an upgrade of the executable. The suffix is always appended, as there.
fn program_name() -> Result<OsString> {
    let program = env::args_os().next().unwrap_or_default();
    let Some(name) = Path::new(&program).file_name() else {
        let message = "argv[0] is empty; set a pidfile name";
        return Err(PidFileError::configuration(message));
    };
    let mut name = name.to_owned();
    name.push(SUFFIX);
    Ok(name)
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
