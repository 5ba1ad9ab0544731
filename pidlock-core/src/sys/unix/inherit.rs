//! Descriptors that this process passes on to a program, and those that were passed on to it.

#![allow(unsafe_code)]

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

use super::file::id_of;
use super::process::is_secure_execution;
use crate::sys::types::FileId;

/// The lowest number of a descriptor that is passed on. Lower numbers can have a meaning in the
/// program that is started: the sockets of `LISTEN_FDS` begin at 3.
const LOWEST: c_int = 100;

/// Descriptors that a command passes on, until this value is dropped.
pub(crate) struct PassedOn {
    _copies: Arc<[File]>,
}

/// Makes the command pass copies of these descriptors on, and name the copies in an environment
/// variable.
pub(crate) fn pass_on(
    command: &mut Command,
    variable: &str,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<PassedOn> {
    let copies = descriptors.iter().map(copy).collect::<io::Result<_>>();
    let copies: Arc<[File]> = copies?;
    let mut names = Vec::new();
    for copy in copies.iter() {
        let id = id_of(copy.as_raw_fd())?;
        names.push(format!("{}:{}:{}", copy.as_raw_fd(), id.device, id.inode));
    }
    let weak = Arc::downgrade(&copies);
    let keep_open = move || match weak.upgrade() {
        Some(copies) => (copies.iter()).try_for_each(|copy| set_close_on_exec(copy, false)),
        // This hand-over is over, and the caller starts another program with the same command.
        None => Ok(()),
    };
    // SAFETY: changes flags of descriptors and a reference count, which is async-signal-safe. The
    // count does not fall to zero in the child, because the memory that it has copied contains the
    // parent's reference.
    unsafe { command.pre_exec(keep_open) };
    command.env(variable, names.join(","));
    Ok(PassedOn { _copies: copies })
}

fn copy(descriptor: &BorrowedFd<'_>) -> io::Result<File> {
    let descriptor = descriptor.as_raw_fd();
    // SAFETY: takes numbers only.
    match unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, LOWEST) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the call has just returned this descriptor, so nothing else owns it.
        copy => Ok(unsafe { File::from_raw_fd(copy) }),
    }
}

fn set_close_on_exec(file: &File, close: bool) -> io::Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: takes numbers only.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The descriptors that an environment variable names.
pub(crate) struct Inherited<const N: usize>([(RawFd, FileId); N]);

/// Returns the descriptors that the variable names, if all of them still refer to what they were passed
/// on for. Makes no system call if there is no such variable.
pub(crate) fn inherited<const N: usize>(variable: &str) -> Option<Inherited<N>> {
    let names = env::var(variable).ok()?;
    // The environment of a set-user-ID program was set by the user who started it, so it is not
    // trusted.
    if is_secure_execution() {
        return None;
    }
    let all: Option<Vec<_>> = names.split(',').map(parse).collect();
    let all: [(RawFd, FileId); N] = all?.try_into().ok()?;
    let is_there = |&(descriptor, id): &(RawFd, FileId)| id_of(descriptor).is_ok_and(|it| it == id);
    // A descriptor must have one owner, so a variable that names it twice is not valid.
    let is_distinct = |n: usize| all[..n].iter().all(|other| other.0 != all[n].0);
    let is_valid = (0..N).all(is_distinct) && all.iter().all(is_there);
    is_valid.then_some(Inherited(all))
}

fn parse(name: &str) -> Option<(RawFd, FileId)> {
    let (descriptor, id) = name.split_once(':')?;
    let (device, inode) = id.split_once(':')?;
    let id = FileId {
        device: device.parse().ok()?,
        inode: inode.parse().ok()?,
    };
    let descriptor = descriptor.parse().ok();
    Some((descriptor.filter(|&number| number >= LOWEST)?, id))
}

impl<const N: usize> Inherited<N> {
    /// The identity of the file that the first descriptor refers to.
    pub(crate) fn first(&self) -> FileId {
        self.0[0].1
    }

    /// Takes the descriptors, and makes exec close them from now on. Succeeds only once, and in no
    /// child that is forked after that.
    pub(crate) fn take(self) -> Option<[File; N]> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(self.0.map(|(descriptor, _)| {
            // SAFETY: the descriptor is open, and was passed on to this program for this purpose. It is
            // taken once, so nothing else owns it.
            let file = unsafe { File::from_raw_fd(descriptor) };
            let _ = set_close_on_exec(&file, true);
            file
        }))
    }
}
