//! The floor: the least that a correct protocol can do, in raw system calls.
//!
//! A start opens and locks the file, checks that the path still refers to it, and writes the PID. A
//! release removes the file while it is locked. The floor leaves out what a library adds: error
//! messages, other types of files, threads, signals and forks.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// The size of the buffers, which is enough for every PID and its newline.
const LONGEST: usize = 16;

/// A NUL-terminated path, converted once for all system calls, without a heap allocation.
///
/// The alignment keeps the time of the search for the NUL independent of the stack's position.
#[derive(Debug)]
#[repr(align(64))]
pub struct SystemPath([u8; 256]);

impl SystemPath {
    /// Copies a path of at most 255 bytes.
    ///
    /// # Panics
    ///
    /// If the path is longer.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let path = path.as_os_str().as_bytes();
        let mut text = [0; 256];
        assert!(path.len() < text.len(), "path too long for the floor");
        text[..path.len()].copy_from_slice(path);
        Self(text)
    }

    /// Returns the path as a C string.
    #[must_use]
    pub fn get(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// A held pidfile.
#[derive(Debug)]
pub struct Held<'a> {
    path: &'a CStr,
    file: OwnedFd,
    stat: Stat,
}

/// The outcome of a start without errors.
#[derive(Debug)]
pub enum Start<'a> {
    /// The calling process holds the file.
    Held(Held<'a>),
    /// Another process holds the file. Contains the recorded PID.
    Refused(Option<Pid>),
}

/// The outcome of [`look`].
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// The file is locked. Contains the recorded PID if that process is alive.
    Locked(Option<Pid>),
    /// The file is not locked. Contains the recorded PID if that process is alive.
    Free(Option<Pid>),
}

/// Acquires the pidfile, or returns the PID of its holder.
///
/// # Errors
///
/// Returns the errors of the system calls, and `EINVAL` if the file contains anything but a PID.
pub fn acquire(path: &CStr) -> Result<Start<'_>> {
    loop {
        let file = rustix::fs::openat(
            CWD,
            path,
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o644),
        )?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(Start::Refused(named(&file)?)),
            other => other?,
        }
        let stat = rustix::fs::fstat(&file)?;
        match rustix::fs::lstat(path) {
            Ok(there) if same(&there, &stat) => {}
            // The previous holder removed the file after it was opened here.
            Ok(_) | Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        }
        let old = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if old > 0 && named(&file)?.is_none() {
            return Err(Errno::INVAL); // not a pidfile
        }
        let mut text = [b'\n'; LONGEST];
        let len = 1 + digits(rustix::process::getpid(), &mut text);
        // The same write covers the old text with newlines, so that none of it follows the new PID
        // until the file is truncated.
        rustix::io::pwrite(&file, &text[..len.max(old.min(LONGEST))], 0)?;
        if old > len {
            rustix::fs::ftruncate(&file, len as u64)?;
        }
        return Ok(Start::Held(Held { path, file, stat }));
    }
}

impl Held<'_> {
    /// Removes the file while it is locked, unless the path refers to another file.
    ///
    /// # Errors
    ///
    /// Returns the errors of the system calls.
    pub fn release(self) -> Result<()> {
        if same(&rustix::fs::lstat(self.path)?, &self.stat) {
            rustix::fs::unlink(self.path)?;
        }
        drop(self.file);
        Ok(())
    }
}

/// Inspects a pidfile: is it a regular file, is it locked, and is the recorded process alive?
///
/// # Errors
///
/// Returns the errors of the system calls, and `EINVAL` if the file is not a regular one.
pub fn look(path: &CStr) -> Result<Look> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Errno::INVAL);
    }
    let locked = match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => false,
        Err(Errno::WOULDBLOCK) => true,
        Err(error) => return Err(error),
    };
    let alive = |pid: &Pid| rustix::process::test_kill_process(*pid) != Err(Errno::SRCH);
    let pid = named(&file)?.filter(alive);
    Ok(if locked {
        Look::Locked(pid)
    } else {
        Look::Free(pid)
    })
}

/// Returns the PID that an open file contains, or `None` if it contains anything else.
fn named(file: &OwnedFd) -> Result<Option<Pid>> {
    let mut text = [0; LONGEST];
    let len = rustix::io::pread(file, &mut text, 0)?;
    let number = text[..len].trim_ascii_end();
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let number = number
        .iter()
        .try_fold(0i32, |n, &digit| {
            n.checked_mul(10)?.checked_add((digit - b'0').into())
        })
        .and_then(Pid::from_raw);
    Ok(number)
}

/// Writes the digits of a PID, and returns how many there are.
fn digits(pid: Pid, text: &mut [u8; LONGEST]) -> usize {
    let mut number = pid.as_raw_nonzero().get();
    let mut reversed = [0; LONGEST];
    let mut len = 0;
    while number > 0 {
        reversed[len] = b'0' + (number % 10) as u8;
        number /= 10;
        len += 1;
    }
    for (to, from) in text.iter_mut().zip(reversed[..len].iter().rev()) {
        *to = *from;
    }
    len
}

fn same(a: &Stat, b: &Stat) -> bool {
    a.st_dev == b.st_dev && a.st_ino == b.st_ino
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn floor_refuses_second_start_and_rejects_document() {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        let system_path = SystemPath::new(&path);
        let us = Some(rustix::process::getpid());
        for old in ["", "2147483647\n", "1\n\n\n\n\n\n\n\n"] {
            fs::write(&path, old).expect("write the file");
            let Ok(Start::Held(held)) = acquire(system_path.get()) else {
                panic!("acquire over {old:?}");
            };
            let text = fs::read_to_string(&path).expect("read the file");
            assert_eq!(text, format!("{}\n", std::process::id()));
            assert!(matches!(acquire(system_path.get()), Ok(Start::Refused(pid)) if pid == us));
            assert_eq!(look(system_path.get()), Ok(Look::Locked(us)));
            held.release().expect("release the file");
            assert!(!path.exists());
        }
        fs::write(&path, "not a pidfile\n").expect("write the file");
        assert!(acquire(system_path.get()).is_err());
        assert_eq!(look(system_path.get()), Ok(Look::Free(None)));
    }
}
