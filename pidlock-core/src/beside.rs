//! The names beside the pidfile: of those that stand for it, and of files that only one process knows.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::error::PidFileError;
use crate::plan::Plan;
use crate::sys::FullPath;

/// `app.pid`, `app.pid.t1` and so on.
pub(crate) fn public_name(plan: &Plan<'_>, level: usize) -> Result<FullPath, PidFileError> {
    if level == 0 {
        return Ok(plan.path.clone());
    }
    let mut name = plan.path.as_os_str().to_owned();
    name.push(format!(".t{level}"));
    full(name.as_ref())
}

/// `.app.pid.12345-0.pidlock`: hidden, and beside the pidfile, for links do not cross file systems.
pub(crate) fn private_name(
    plan: &Plan<'_>,
    pid: u32,
    level: usize,
) -> Result<FullPath, PidFileError> {
    let mut name = private_prefix(plan);
    name.push(format!("{pid}-{level}{PRIVATE_SUFFIX}"));
    full(&plan.directory().join(name))
}

/// The process whose private file has this name, if one has.
pub(crate) fn owner_of_private_name(plan: &Plan<'_>, name: &OsStr) -> Option<u32> {
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(private_prefix(plan).as_encoded_bytes())?
        .strip_suffix(PRIVATE_SUFFIX.as_bytes())?;
    let (pid, _) = std::str::from_utf8(rest).ok()?.split_once('-')?;
    pid.parse().ok()
}

const PRIVATE_SUFFIX: &str = ".pidlock";

fn private_prefix(plan: &Plan<'_>) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(plan.path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

fn full(name: &Path) -> Result<FullPath, PidFileError> {
    FullPath::resolve(name).map_err(|error| PidFileError::io("find", name, error))
}
