//! What a locked file gets: the mode and the owner that were asked for, exactly, and then its text.

use crate::error::PidFileError;
use crate::plan::Plan;
use crate::record::{self, Text};
use crate::sys::{self, OpenFile, Stat};

/// Gives it the record of a process. `found` is what the file was before.
#[inline(always)] // see `acquire::lock`
pub(crate) fn write(
    plan: &Plan<'_>,
    file: &OpenFile,
    found: &Stat,
    text: &Text,
) -> Result<(), PidFileError> {
    shape(plan, file, found)?;
    record::write(file, text, found.size())
        .map_err(|error| PidFileError::io("write", plan.path, error))
}

/// Empties it.
#[cfg(unix)]
pub(crate) fn clear(plan: &Plan<'_>, file: &OpenFile, found: &Stat) -> Result<(), PidFileError> {
    shape(plan, file, found)?;
    match found.size() {
        0 => Ok(()),
        _ => sys::truncate(file, 0).map_err(|error| PidFileError::io("empty", plan.path, error)),
    }
}

#[inline(always)] // likewise
fn shape(plan: &Plan<'_>, file: &OpenFile, found: &Stat) -> Result<(), PidFileError> {
    if plan.changes_owner() {
        give_away(plan, file, found)?;
    }
    if plan.mode != found.mode() {
        sys::set_mode(file, plan.mode)
            .map_err(|error| PidFileError::io("change the mode of", plan.path, error))?;
    }
    Ok(())
}

#[cold]
fn give_away(plan: &Plan<'_>, file: &OpenFile, found: &Stat) -> Result<(), PidFileError> {
    let uid = plan.uid.filter(|&uid| uid != found.uid());
    let gid = plan.gid.filter(|&gid| gid != found.gid());
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    sys::set_owner(file, uid, gid)
        .map_err(|error| PidFileError::io("change the owner of", plan.path, error))
}
