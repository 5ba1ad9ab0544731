//! May this file be written to? A path is only a name, and in a shared directory anybody may have
//! put anything there.

use std::io;

use crate::error::{PidFileError, Quoted};
use crate::plan::Plan;
use crate::sys::{self, FullPath, Identity, Kind, Stat};

/// Whether the path still names this file.
pub(crate) fn path_names(path: &FullPath, id: Identity) -> Result<bool, PidFileError> {
    match sys::identify_path(path) {
        Ok(there) => Ok(there == id),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(PidFileError::io("look at", path, error)),
    }
}

/// Refuses what a pidfile cannot be: anything but a regular file with at most `max_links` names,
/// and in a directory where others may make files, a file that others own.
#[inline]
pub(crate) fn check(
    plan: &Plan<'_>,
    path: &FullPath,
    stat: &Stat,
    max_links: u64,
) -> Result<(), PidFileError> {
    match is_plainly_ours(plan, stat, max_links) {
        true => Ok(()),
        false => check_closely(plan, path, stat, max_links),
    }
}

/// Whether there is nothing to be wary of, wherever the file is.
#[inline]
pub(crate) fn is_plainly_ours(plan: &Plan<'_>, stat: &Stat, max_links: u64) -> bool {
    stat.kind() == Kind::Regular && stat.links() <= max_links && is_ours(plan, stat.uid())
}

/// Root, the user that the plan names, and this one.
#[inline]
pub(crate) fn is_ours(plan: &Plan<'_>, uid: u32) -> bool {
    uid == 0 || Some(uid) == plan.uid || sys::is_effective_uid(uid)
}

#[cold]
fn check_closely(
    plan: &Plan<'_>,
    path: &FullPath,
    stat: &Stat,
    max_links: u64,
) -> Result<(), PidFileError> {
    let refuse = |reason: String| Err(PidFileError::untrusted(path, reason));
    if let Some(reason) = unfit(stat.kind()) {
        return refuse(reason.into());
    }
    if stat.links() > max_links {
        return refuse(format!(
            "it has {} hard links, so that writing to it would change another file; remove it",
            stat.links()
        ));
    }
    let directory = plan.directory();
    let place = sys::stat_directory(directory)
        .map_err(|error| PidFileError::directory(directory, "cannot be looked at", error))?;
    const SHARED: u32 = 0o1022; // sticky, or writable for group or others
    if place.mode() & SHARED == 0 && is_ours(plan, place.uid()) {
        return Ok(());
    }
    refuse(format!(
        "it belongs to uid {}, who may have put it there, for others than {} may write to its \
         directory {}; remove it, or choose a directory of your own",
        stat.uid(),
        sys::current_user(),
        Quoted(directory)
    ))
}

/// Why this sort of thing cannot be a pidfile.
pub(crate) fn unfit(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Regular => None,
        Kind::Directory => Some("it is a directory; choose another name"),
        Kind::Symlink => Some(
            "it is a symbolic link, which is not followed; remove it, or give the path it leads to",
        ),
        Kind::Fifo => Some("it is a FIFO; remove it, or choose another name"),
        Kind::Socket => Some("it is a socket; remove it, or choose another name"),
        Kind::Device => Some("it is a device; choose another name"),
    }
}
