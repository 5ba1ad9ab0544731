//! The floor: the least that a correct protocol can do, in raw system calls.
//!
//! Lock, look whether the path still names the locked file, write the PID; and remove the file
//! while it is still locked. What it leaves out is what makes a library: reasons, other kinds of
//! files, threads, signals, forks.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// Enough for every number.
const LONGEST: usize = 16;

/// A path as the system calls want it, made once for all of them, and without memory of its own.
/// Aligned: else how it is searched for its end depends on where the stack happens to be.
#[derive(Debug)]
#[repr(align(64))]
pub struct SystemPath([u8; 256]);

impl SystemPath {
    /// The same path, if it is not too long for this.
    ///
    /// # Panics
    ///
    /// If it is.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let path = path.as_os_str().as_bytes();
        let mut text = [0; 256];
        assert!(path.len() < text.len(), "the floor is for short paths");
        text[..path.len()].copy_from_slice(path);
        Self(text)
    }

    /// The path.
    #[must_use]
    pub fn get(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// A pidfile that is held.
#[derive(Debug)]
pub struct Held<'a> {
    path: &'a CStr,
    file: OwnedFd,
    stat: Stat,
}

/// How a start went that was no error.
#[derive(Debug)]
pub enum Start<'a> {
    /// The file is ours.
    Held(Held<'a>),
    /// Another process holds it: the one that the file names.
    Refused(Option<Pid>),
}

/// What a look showed.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Somebody has the lock: the live process that the file names.
    Locked(Option<Pid>),
    /// Nobody has the lock; whom the file names.
    Free(Option<Pid>),
}

/// Takes the file, or says who has it.
///
/// # Errors
///
/// Those of the system calls.
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
            // Its holder has just removed it.
            Ok(_) | Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        }
        let old = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if old > 0 && named(&file)?.is_none() {
            return Err(Errno::INVAL); // somebody's document
        }
        let mut text = [b'\n'; LONGEST];
        let len = 1 + digits(rustix::process::getpid(), &mut text);
        // One write covers the old text: no reader sees a mixture.
        rustix::io::pwrite(&file, &text[..len.max(old.min(LONGEST))], 0)?;
        if old > len {
            rustix::fs::ftruncate(&file, len as u64)?;
        }
        return Ok(Start::Held(Held { path, file, stat }));
    }
}

impl Held<'_> {
    /// Removes the file while it is locked, unless it is another by now.
    ///
    /// # Errors
    ///
    /// Those of the system calls.
    pub fn release(self) -> Result<()> {
        if same(&rustix::fs::lstat(self.path)?, &self.stat) {
            rustix::fs::unlink(self.path)?;
        }
        drop(self.file);
        Ok(())
    }
}

/// Looks who holds the file: is it a file, is it locked, is the process that it names alive?
///
/// # Errors
///
/// Those of the system calls.
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

/// The process that an open file names.
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

/// Writes a number's digits, and says how many.
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
    fn it_does_what_it_is_compared_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.pid");
        let system_path = SystemPath::new(&path);
        let us = Some(rustix::process::getpid());
        for old in ["", "2147483647\n", "1\n\n\n\n\n\n\n\n"] {
            fs::write(&path, old).expect("the file can be written");
            let Ok(Start::Held(held)) = acquire(system_path.get()) else {
                panic!("free over {old:?}");
            };
            let text = fs::read_to_string(&path).expect("the file is there");
            assert_eq!(text, format!("{}\n", std::process::id()));
            assert!(matches!(acquire(system_path.get()), Ok(Start::Refused(pid)) if pid == us));
            assert_eq!(look(system_path.get()), Ok(Look::Locked(us)));
            held.release().expect("it can be removed");
            assert!(!path.exists());
        }
        fs::write(&path, "Dear diary,\n").expect("the file can be written");
        assert!(acquire(system_path.get()).is_err());
        assert_eq!(look(system_path.get()), Ok(Look::Free(None)));
    }
}
