//! Sleeps until something happens to a file or a process: `inotify(7)`, `pidfd_open(2)`, `ppoll(2)`.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use libc::c_int;

use super::fork::{PerProcess, ProcessInstance};
use super::path::AbsPath;

/// A descriptor that ends a sleep when it becomes readable.
pub(crate) type Source = RawFd;

/// Reports what happens to one file and one process.
pub(crate) struct Events {
    owner: ProcessInstance,
    inotify: Arc<File>,
    watch: Option<c_int>,
    /// The watched process. Its descriptor is `None` once the process has ended, or if the kernel
    /// provides none.
    process: Option<(u32, Option<File>)>,
}

/// Inotify instances without watches, kept for later waits. To close one right after its watch has
/// ended takes milliseconds, because the kernel waits until no processor uses the watch.
static SPARE: PerProcess<Mutex<Vec<Arc<File>>>> = PerProcess::new();

/// Closes the instances that earlier waits have left. That takes long, so only the helper thread
/// calls this.
pub(crate) fn close_spare_events(process: ProcessInstance) {
    let spare = mem::take(&mut *SPARE.lock(process));
    drop(spare);
}

/// Returns `true` if a spare descriptor still is an inotify instance. Another part of the program
/// may have closed it, as daemons do, and its number may be in use for another file. Then the
/// descriptor is forgotten, because to drop it would close that file. The kernel checks the
/// descriptor before the path, so only an inotify instance causes ENOENT for the empty path.
fn is_inotify(file: &Arc<File>) -> bool {
    // SAFETY: the path is a C string, which the call only reads.
    unsafe { libc::inotify_add_watch(file.as_raw_fd(), c"".as_ptr(), libc::IN_ATTRIB) };
    let is_inotify = io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT);
    if !is_inotify {
        mem::forget(file.clone());
    }
    is_inotify
}

impl Events {
    pub(crate) fn new() -> io::Result<Self> {
        let owner = ProcessInstance::current();
        let inotify = match SPARE.lock(owner).pop().filter(is_inotify) {
            Some(inotify) => inotify,
            // SAFETY: takes flags and returns a new descriptor.
            None => Arc::new(owned(unsafe {
                libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK)
            })?),
        };
        Ok(Self {
            owner,
            inotify,
            watch: None,
            process: None,
        })
    }

    /// Watches the file at the path, and no longer the file that was watched before. These are
    /// events: the file loses a name, is moved, gets another mode, or is closed. The close of a
    /// file that was open for reading only is an event if `readers` is set. Returns `true` if it is
    /// not the file that was watched before.
    pub(crate) fn watch_file(&mut self, path: &AbsPath, readers: bool) -> io::Result<bool> {
        let closed = libc::IN_CLOSE_WRITE | if readers { libc::IN_CLOSE_NOWRITE } else { 0 };
        let mask = closed | libc::IN_ATTRIB | libc::IN_MOVE_SELF | libc::IN_DONT_FOLLOW;
        let (fd, path) = (self.inotify.as_raw_fd(), path.as_c_str().as_ptr());
        // SAFETY: `path` is a C string that outlives the call, which only reads it.
        let watch = match unsafe { libc::inotify_add_watch(fd, path, mask) } {
            -1 => return Err(io::Error::last_os_error()),
            watch => Some(watch),
        };
        let is_new = self.watch != watch;
        if is_new {
            self.unwatch();
            self.watch = watch;
        }
        Ok(is_new)
    }

    /// Ends the watch. Has no effect if the file is gone, because the kernel has then ended the
    /// watch.
    fn unwatch(&mut self) {
        if let Some(watch) = self.watch.take() {
            // SAFETY: takes an open descriptor and a number.
            unsafe { libc::inotify_rm_watch(self.inotify.as_raw_fd(), watch as _) };
        }
    }

    /// Watches for the end of a process, too. Returns `true` if the process was not watched before.
    pub(crate) fn watch_process(&mut self, pid: u32) -> bool {
        if self
            .process
            .as_ref()
            .is_some_and(|(known, _)| *known == pid)
        {
            return false;
        }
        let process = pidfd_open(pid as libc::pid_t).ok();
        let is_watched = process.is_some();
        self.process = Some((pid, process));
        is_watched
    }

    /// Returns `true` if anything has happened since the last call.
    pub(crate) fn take(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let mut happened = false;
        while matches!((&*self.inotify).read(&mut buffer), Ok(1..)) {
            happened = true;
        }
        if let Some((_, process)) = &mut self.process {
            let ended = |fd: &mut File| sleep(&[fd.as_raw_fd()], Duration::ZERO) == [true];
            // The descriptor of an ended process stays readable and would end each later sleep, so
            // close it.
            happened |= process.take_if(ended).is_some();
        }
        happened
    }

    pub(crate) fn sources(&self) -> Vec<Source> {
        let process = self.process.iter().filter_map(|(_, fd)| fd.as_ref());
        let inotify = self.inotify.as_raw_fd();
        process.map(File::as_raw_fd).chain([inotify]).collect()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // A forked child shares the instance and its watch with its parent, so it must not end the
        // watch.
        if self.owner.is_current() {
            self.unwatch();
            SPARE.lock(self.owner).push(self.inotify.clone());
        }
    }
}

/// Returns a PID file descriptor, which exec closes.
pub(super) fn pidfd_open(pid: libc::pid_t) -> io::Result<File> {
    // SAFETY: takes two numbers, and returns a descriptor or -1.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as c_int)
}

fn owned(fd: c_int) -> io::Result<File> {
    match fd {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the caller has just got this descriptor from the kernel, so nothing else owns it.
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

/// Sleeps until a source becomes ready, a signal arrives or the time is over, and returns which sources
/// are ready. If the kernel cannot tell that, sleeps for a short time and returns nothing.
pub(crate) fn sleep(sources: &[Source], time: Duration) -> Vec<bool> {
    let poll = |&fd: &Source| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls: Vec<libc::pollfd> = sources.iter().map(poll).collect();
    let limit = libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: time.subsec_nanos() as libc::c_long,
    };
    let len = polls.len() as libc::nfds_t;
    // SAFETY: `polls` has `len` elements and, as `limit`, outlives the call. A descriptor that another
    // thread has closed meanwhile is an error in its element, or ends the sleep early.
    let ready = unsafe { libc::ppoll(polls.as_mut_ptr(), len, &limit, ptr::null()) };
    if ready < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
        // A sandbox forbids the call, or there are more sources than the limit of descriptors,
        // which was lowered.
        const SHORT: Duration = Duration::from_millis(20);
        thread::sleep(time.min(SHORT));
        return Vec::new();
    }
    polls
        .iter()
        .map(|it| ready > 0 && it.revents != 0)
        .collect()
}

/// Ends the sleep of another thread.
#[derive(Debug)]
pub(crate) struct Interrupt(File);

impl Interrupt {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes numbers and returns a new descriptor.
        owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }

    /// Ends the current sleep, or else the next one.
    pub(crate) fn send(&self) {
        // Fails only if the counter is full, which ends the sleep, too.
        let _ = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Like the function `sleep`, but `send` ends it, too.
    pub(crate) fn sleep(&self, mut sources: Vec<Source>, time: Duration) -> Vec<bool> {
        sources.push(self.0.as_raw_fd());
        let mut ready = sleep(&sources, time);
        if ready.pop() == Some(true) {
            let _ = (&self.0).read(&mut [0; 8]);
        }
        ready
    }
}
