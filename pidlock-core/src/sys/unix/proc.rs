//! What Linux tells about processes in `/proc`: when they started, and which of them took a lock
//! (proc_pid_status(5), proc_pid_stat(5), proc_locks(5)).

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::process::exists;
use crate::sys::types::{FileId, ProcessState, Stat};

pub(crate) fn process_state(pid: u32) -> ProcessState {
    let unknown = ProcessState::Running {
        started: None,
        exiting: false,
    };
    if !exists(pid) {
        return ProcessState::Gone;
    }
    if !shows_our_processes() {
        return unknown;
    }
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
    let (Ok(status), Ok(stat)) = (read("status"), read("stat")) else {
        // Hidden from this user (hidepid), or the process has just ended.
        return match exists(pid) {
            true => unknown,
            false => ProcessState::Gone,
        };
    };
    let is_leader = status.contains(&format!("\nTgid:\t{pid}\n"));
    let is_thread = status.contains("\nTgid:") && !is_leader;
    // A process whose main thread has ended is shown as a zombie while other threads run, so a
    // zombie is gone only if it has no other threads.
    let is_alone = stat_field(&stat, 20).is_none_or(|threads: u64| threads <= 1);
    let has_ended = stat_field(&stat, 3).is_some_and(|state: char| "ZX".contains(state));
    let is_exiting = stat_field(&stat, 9).is_some_and(|flags: u64| flags & PF_EXITING != 0);
    match is_thread || is_alone && has_ended {
        true => ProcessState::Gone,
        false => ProcessState::Running {
            started: stat_field(&stat, 22).and_then(start_time),
            exiting: is_alone && is_exiting,
        },
    }
}

/// "Getting shut down" (the kernel's `include/linux/sched.h`).
const PF_EXITING: u64 = 0x4;

/// Returns `true` if `/proc` belongs to the PID namespace of this process. In another namespace
/// the same PID is another process.
fn shows_our_processes() -> bool {
    fs::read_link("/proc/self")
        .is_ok_and(|link| link.as_os_str() == std::process::id().to_string().as_str())
}

/// A field of proc_pid_stat(5): 3 is the state, 4 the parent, 9 flags, 20 the number of threads, 22
/// the start time. Counts after the last `)`, because field 2 is the name of the program and can
/// contain anything.
fn stat_field<T: FromStr>(stat: &str, field: usize) -> Option<T> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(field - 3)?.parse().ok()
}

/// The effective user of the process, or root if the kernel protects it from its user (proc(5)).
pub(crate) fn process_owner(pid: u32) -> Option<u32> {
    let metadata = fs::metadata(format!("/proc/{pid}")).ok()?;
    shows_our_processes().then_some(metadata.uid())
}

/// When the process with this PID started, in clock ticks after boot. `None` where that is not
/// known.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    if !shows_our_processes() {
        return None;
    }
    stat_field(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, 22)
}

/// `ticks` are clock ticks after boot. In a time namespace they and `CLOCK_BOOTTIME` are shifted
/// alike (time_namespaces(7)), so their difference is the age. A process older than the namespace
/// shows a start time in the far future: unknown.
fn start_time(ticks: u64) -> Option<SystemTime> {
    // SAFETY: takes a number and returns one.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    let started =
        Duration::from_nanos(ticks.checked_mul(1_000_000_000u64.checked_div(per_second)?)?);
    // Read before the clock in `since_boot`, so that the process seems older than it is if this
    // thread is interrupted in between. That is the safe error, because a process that is old
    // enough counts as the writer of its file.
    let now = SystemTime::now();
    now.checked_sub(since_boot()?.checked_sub(started)?)
}

fn since_boot() -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec that outlives the call.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    (answer == 0).then_some(Duration::new(seconds, nanoseconds))
}

/// Returns `true` if the process has the exclusive lock on this file, acquired or inherited: one of
/// its descriptors is this file, and has the lock (proc_pid_fdinfo(5)). `None` if that is hidden from
/// this user, or the lock is another machine's.
pub(crate) fn has_lock(pid: u32, file: &Stat) -> Option<bool> {
    if !shows_our_processes() {
        return None;
    }
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter();
    let read = |entry: fs::DirEntry| {
        let info = fs::read_to_string(entry.path()).ok()?;
        Some((entry.file_name(), info))
    };
    let infos = entries.flatten().flatten().filter_map(read);
    let infos: Vec<(OsString, String)> = infos.collect();
    if infos.is_empty() {
        // The descriptors are hidden, as are those of a process whose main thread has ended. A lock
        // that was inherited by a fork is listed with the PID of the parent.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let family = [Some(pid), stat_field(&stat, 4)];
        let is_other = |taker| !family.contains(&Some(taker)) && exists(taker);
        return lock_takers(file).any(is_other).then_some(false);
    }
    let is_file = |descriptor: &OsString| {
        let descriptor = Path::new(&format!("/proc/{pid}/fd")).join(descriptor);
        fs::metadata(descriptor).is_ok_and(|metadata| Stat::from(metadata).id == file.id)
    };
    // The inode is compared before the file system is asked, because that of another locked file
    // may not answer over a network.
    Some(infos.iter().any(|(descriptor, info)| {
        let mut lines = info.lines().filter_map(|line| line.strip_prefix("lock:"));
        lines.any(|line| lock_on(file.id, line).is_some()) && is_file(descriptor)
    }))
}

/// The PID of the process that took the lock of this file, perhaps long ago. Another process
/// may have got that PID by now, so it is for messages only.
pub(crate) fn lock_taker(file: &Stat) -> Option<u32> {
    lock_takers(file).next().filter(|_| shows_our_processes())
}

/// The processes that took an exclusive lock on this file.
fn lock_takers(file: &Stat) -> impl Iterator<Item = u32> {
    let id = file.id;
    let locks = File::open("/proc/locks").into_iter();
    let lines = locks.flat_map(|locks| BufReader::new(locks).lines());
    lines
        .map_while(Result::ok)
        .filter_map(move |line| lock_on(id, &line))
}

/// The process that took an exclusive `flock(2)` lock on the file, from a line like `7: FLOCK
/// ADVISORY WRITE 1234 08:01:5678 0 EOF`. The device cannot be compared: on btrfs and overlayfs it
/// differs from `st_dev`. The line of a process that waits for the lock has an arrow in the
/// second place, so it is not parsed.
fn lock_on(file: FileId, line: &str) -> Option<u32> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", taker, place, ..] = fields[..] else {
        return None;
    };
    let inode: u64 = place.rsplit(':').next()?.parse().ok()?;
    taker.parse().ok().filter(|_| inode == file.inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_name_does_not_shift_the_fields() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        assert_eq!(stat_field(stat, 22), Some(98765));
        assert_eq!(stat_field::<u64>("", 22), None);
    }

    #[test]
    fn exclusive_flock_line_is_parsed_and_others_are_not() {
        let line = "7: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF";
        let file = |inode| FileId { device: 1, inode };
        assert_eq!(lock_on(file(5678), line), Some(1234));
        assert_eq!(lock_on(file(5679), line), None);
        for other in [
            "7: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF",
            "7: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF",
            "7: -> FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF",
            "",
        ] {
            assert_eq!(lock_on(file(5678), other), None, "{other}");
        }
    }

    #[test]
    fn start_time_is_after_boot_and_before_now() {
        let ProcessState::Running {
            started: Some(started),
            exiting: false,
        } = process_state(std::process::id())
        else {
            panic!("this process runs, and /proc tells since when");
        };
        let age = started.elapsed().expect("a start in the past");
        assert!(age.as_secs() < 3600, "{age:?}");
    }

    #[test]
    fn thread_id_is_not_a_process() {
        let (ask, answer) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: gettid takes nothing and cannot fail (gettid(2)).
            ask.send(unsafe { libc::gettid() } as u32).ok();
            wait.recv().ok();
        });
        let id = answer.recv().expect("receive the thread's ID");
        assert!(exists(id), "getpgid(2) accepts a thread's ID");
        assert_eq!(process_state(id), ProcessState::Gone);
        drop(done);
        thread.join().expect("join the thread");
    }

    #[test]
    fn zombie_is_gone() {
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("run true");
        while process_state(child.id()) != ProcessState::Gone {
            std::thread::yield_now();
        }
        assert!(exists(child.id()), "a zombie keeps its PID");
        child.wait().expect("wait for true");
    }
}
