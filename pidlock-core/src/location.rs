//! Where a pidfile is: name rules, the default name, the default directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::error::{PidFileError, Quoted};
use crate::sys::{self, Absolute, FullPath};

const SUFFIX: &str = ".pid";

/// Which file is meant.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// By an absolute path: there is nothing left to do each time it is used.
    Exact(FullPath),
    /// By what is to be put together, or looked for. Boxed, for the other is the one that is to be
    /// quick.
    Described(Box<Description>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    exact: Option<PathBuf>,
    pub(crate) name: Option<OsString>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) without_suffix: bool,
    pub(crate) temp_dir: bool,
}

impl Default for Location {
    fn default() -> Self {
        Self::Described(Box::default())
    }
}

impl Location {
    #[inline]
    pub(crate) fn at(path: &Path) -> Self {
        // Not a directory's, whatever stands before.
        let names_a_file = !matches!(
            path.as_os_str().as_encoded_bytes().last(),
            Some(b'/' | b'.')
        );
        match Absolute::new(path) {
            Some(path) if names_a_file => Self::Exact(path.into()),
            _ => Self::exactly(path),
        }
    }

    #[cold]
    fn exactly(path: &Path) -> Self {
        Self::Described(Box::new(Description {
            exact: Some(path.to_owned()),
            ..Description::default()
        }))
    }

    /// For adding to it.
    pub(crate) fn describe(&mut self) -> &mut Description {
        if let Self::Exact(path) = self {
            *self = Self::exactly(path);
        }
        match self {
            Self::Described(description) => description,
            Self::Exact(_) => unreachable!("it has just become a description"),
        }
    }

    /// The absolute path, put into `room` if it was not known yet. Looks at directories where none is
    /// given; changes nothing.
    #[inline]
    pub(crate) fn resolve<'a>(
        &'a self,
        room: &'a mut Option<FullPath>,
    ) -> Result<&'a FullPath, PidFileError> {
        match self {
            Self::Exact(path) => Ok(path),
            Self::Described(description) => Ok(room.insert(description.resolve()?)),
        }
    }
}

impl Description {
    #[cold]
    fn resolve(&self) -> Result<FullPath, PidFileError> {
        let Some(path) = &self.exact else {
            return absolute(&self.directory()?.join(self.file_name()?));
        };
        if self.name.is_some() || self.dir.is_some() || self.without_suffix || self.temp_dir {
            return Err(PidFileError::configuration(format!(
                "pidfile {} is an exact path, which leaves no choice of name, dir, suffix or temp_dir",
                Quoted(path)
            )));
        }
        check_exact(path)?;
        absolute(path)
    }

    fn file_name(&self) -> Result<OsString, PidFileError> {
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

    fn directory(&self) -> Result<PathBuf, PidFileError> {
        match &self.dir {
            Some(_) if self.temp_dir => Err(PidFileError::configuration(
                "a pidfile is either in the directory given or in the temporary one: give dir or temp_dir",
            )),
            Some(dir) if dir.as_os_str().is_empty() => Err(PidFileError::configuration(
                "pidfile directory '' is empty: give a path, or leave dir out for the default",
            )),
            Some(dir) => {
                check_text(dir.as_os_str(), "directory")?;
                Ok(dir.clone())
            }
            None if self.temp_dir => Ok(temporary_directory()),
            None => Ok(default_directory()),
        }
    }
}

fn absolute(path: &Path) -> Result<FullPath, PidFileError> {
    FullPath::resolve(path).map_err(|error| PidFileError::io("find", path, error))
}

fn check_exact(path: &Path) -> Result<(), PidFileError> {
    check_text(path.as_os_str(), "path")?;
    let names_a_file = matches!(path.components().next_back(), Some(Component::Normal(_)))
        && !path.as_os_str().as_encoded_bytes().ends_with(b"/")
        && !path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    if names_a_file {
        return Ok(());
    }
    Err(PidFileError::configuration(format!(
        "pidfile path {} names no file",
        Quoted(path)
    )))
}

/// A name is one component of a path, and nothing else.
fn check_name(name: &OsStr) -> Result<(), PidFileError> {
    let refuse = |problem: &str| {
        Err(PidFileError::configuration(format!(
            "pidfile name {} {problem}",
            Quoted(name.as_ref())
        )))
    };
    check_text(name, "name")?;
    match name.as_encoded_bytes() {
        b"" => refuse("is empty"),
        b"." | b".." => refuse("is a directory's"),
        bytes
            if bytes
                .iter()
                .any(|&byte| std::path::is_separator(char::from(byte))) =>
        {
            refuse("contains a path separator: give the directory with dir = \"...\"")
        }
        // A colon would name a drive or a stream of a file, the others mean something to the shell
        // of the system or nothing at all.
        bytes if cfg!(windows) && bytes.iter().any(|byte| b":<>\"|?*".contains(byte)) => {
            refuse("contains a character that no file name may have")
        }
        _ => Ok(()),
    }
}

fn check_text(text: &OsStr, what: &str) -> Result<(), PidFileError> {
    if text.as_encoded_bytes().contains(&0) {
        return Err(PidFileError::configuration(format!(
            "pidfile {what} {} contains a NUL character",
            Quoted(text.as_ref())
        )));
    }
    Ok(())
}

/// What the program was called by, as Python's `sys.argv[0]`: it survives an upgrade that
/// replaces the executable, which `/proc/self/exe` does not. With the suffix, as there, even for a
/// program that has it already.
fn program_name() -> Result<OsString, PidFileError> {
    env::args_os()
        .next()
        .as_deref()
        .and_then(|program| Path::new(program).file_name())
        .map(|program| {
            let mut name = program.to_owned();
            name.push(SUFFIX);
            name
        })
        .ok_or_else(|| {
            PidFileError::configuration(
                "the program was started without a name: give the pidfile one",
            )
        })
}

#[cfg(unix)]
fn default_directory() -> PathBuf {
    let uid = sys::effective_uid();
    let of_user = ["/run/user", "/var/run/user"].map(|base| Path::new(base).join(uid.to_string()));
    let of_system = ["/run", "/var/run"].map(PathBuf::from);
    ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"]
        .into_iter()
        .filter_map(runtime_directory)
        .chain(of_user)
        .chain(of_system)
        .find(|directory| sys::can_create_in(directory))
        .unwrap_or_else(temporary_directory)
}

#[cfg(windows)]
fn default_directory() -> PathBuf {
    variable("APPDATA").map_or_else(temporary_directory, PathBuf::from)
}

/// A directory that a service manager or a login made for this process's user. `sudo` may hand
/// root the one of another user, who could do there as he likes: not taken.
#[cfg(unix)]
fn runtime_directory(name: &str) -> Option<PathBuf> {
    let value = variable(name)?;
    // systemd gives several, separated by colons, where a unit asks for several.
    let first = value
        .as_encoded_bytes()
        .split(|&byte| byte == b':')
        .next()?;
    let directory = PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(first));
    let owner = sys::stat_directory(&directory).ok()?.uid();
    (directory.is_absolute() && sys::is_effective_uid(owner)).then_some(directory)
}

/// The directory that Python's `tempfile.gettempdir()` would pick.
#[cfg(unix)]
fn temporary_directory() -> PathBuf {
    ["TMPDIR", "TEMP", "TMP"]
        .into_iter()
        .filter_map(variable)
        .map(PathBuf::from)
        .chain(["/tmp", "/var/tmp", "/usr/tmp"].map(PathBuf::from))
        .find(|directory| sys::can_create_in(directory))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

#[cfg(windows)]
fn temporary_directory() -> PathBuf {
    env::temp_dir()
}

/// An environment variable that is set, not empty, and ours to believe.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty() && !sys::has_raised_privileges())
}
