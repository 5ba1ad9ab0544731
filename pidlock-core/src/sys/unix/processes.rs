//! Other processes: are they there, and since when.

#![allow(unsafe_code)]

use std::io;

use crate::sys::Life;

/// Whether a process, a zombie or a thread has this number. By getpgid(2), which needs half the time
/// of kill(2): it does not ask whether a signal would be allowed. Not by rustix's, for which 0, the
/// group of a process whose group is in another PID namespace, is no answer.
pub(crate) fn exists(pid: u32) -> bool {
    // 0 would mean ourselves.
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 0) else {
        return false;
    };
    // SAFETY: the call takes a number and gives one.
    let group = unsafe { libc::getpgid(pid) };
    // Where it may not be told, there is something that could be.
    group >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Whether a process that can do work has this number, and since when.
pub(crate) fn life(pid: u32) -> Life {
    if !exists(pid) {
        return Life::Gone;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        proc::life(pid)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        Life::Running {
            since: None,
            ending: false,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod proc {
    //! What `/proc` adds (proc_pid_status(5), proc_pid_stat(5)).

    use std::fs;
    use std::io;
    use std::time::{Duration, SystemTime};

    use crate::sys::Life;

    pub(super) fn life(pid: u32) -> Life {
        let unknown = Life::Running {
            since: None,
            ending: false,
        };
        if !shows_our_namespace() {
            return unknown;
        }
        let (Ok(status), Ok(stat)) = (read(pid, "status"), read(pid, "stat")) else {
            // Hidden (hidepid), or ended this very moment.
            return if super::exists(pid) {
                unknown
            } else {
                Life::Gone
            };
        };
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        if field("Tgid").is_some_and(|leader| leader != pid.to_string()) {
            return Life::Gone;
        }
        // A process whose main thread has ended shows Z too while others run on.
        let has_ended = field("State").is_some_and(|state| state.starts_with(['Z', 'X']));
        let is_ending = number(&stat, 9).is_some_and(|flags| flags & PF_EXITING != 0);
        let is_alone = field("Threads").is_none_or(|n| n == "1" || n == "0");
        if has_ended && is_alone {
            return Life::Gone;
        }
        Life::Running {
            since: number(&stat, 22).and_then(wall_clock),
            ending: is_ending && is_alone,
        }
    }

    /// Of the flags in field 9: "getting shut down" (the kernel's `include/linux/sched.h`).
    const PF_EXITING: u64 = 0x4;

    fn read(pid: u32, what: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{pid}/{what}"))
    }

    /// `/proc` may have been mounted for another PID namespace, where our numbers mean strangers.
    fn shows_our_namespace() -> bool {
        fs::read_link("/proc/self")
            .is_ok_and(|link| link.as_os_str() == std::process::id().to_string().as_str())
    }

    /// A field of proc_pid_stat(5): 9 is flags, 22 the start in clock ticks after boot. Field 2 is the
    /// program's name in parentheses and may itself contain spaces and parentheses, so counting
    /// starts behind the last one.
    pub(super) fn number(stat: &str, field: usize) -> Option<u64> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace()
            .nth(field.checked_sub(3)?)?
            .parse()
            .ok()
    }

    /// Both the ticks in `/proc` and `CLOCK_BOOTTIME` are shifted alike in a time namespace
    /// (time_namespaces(7)), so their difference is the age everywhere. Of a process that started
    /// before the namespace's zero the kernel shows a number far in the future: unknown.
    fn wall_clock(ticks: u64) -> Option<SystemTime> {
        let started = Duration::from_nanos(ticks.checked_mul(1_000_000_000 / ticks_per_second()?)?);
        let age = since_boot()?.checked_sub(started)?;
        SystemTime::now().checked_sub(age)
    }

    fn ticks_per_second() -> Option<u64> {
        // SAFETY: sysconf takes a number and returns one; -1 for "unknown" is dealt with below.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        u64::try_from(ticks).ok().filter(|&ticks| ticks > 0)
    }

    fn since_boot() -> Option<Duration> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid timespec that the call may write to, and outlives it.
        let answer = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
        if answer != 0 {
            return None;
        }
        Some(Duration::new(
            u64::try_from(time.tv_sec).ok()?,
            u32::try_from(time.tv_nsec).ok()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_exist_and_nobody_has_the_largest_number() {
        assert!(exists(std::process::id()));
        // Linux gives numbers up to 4,194,304 at most (proc_sys_kernel(5)).
        assert!(!exists(i32::MAX as u32));
        assert!(!exists(0));
        assert!(!exists(u32::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_started_before_now_and_after_boot() {
        let Life::Running {
            since: Some(since), ..
        } = life(std::process::id())
        else {
            panic!("this process runs, and /proc says since when");
        };
        let age = since.elapsed().expect("started in the past");
        assert!(age.as_secs() < 3600, "{age:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_is_no_process() {
        let (ask, answer) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: gettid takes nothing and cannot fail (gettid(2)).
            ask.send(unsafe { libc::gettid() } as u32).ok();
            wait.recv().ok();
        });
        let number = answer.recv().expect("the thread sends its number");
        assert!(
            exists(number),
            "getpgid(2) takes a thread's number for a process"
        );
        assert_eq!(life(number), Life::Gone);
        drop(done);
        thread.join().expect("the thread ends");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zombie_is_gone() {
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("true starts");
        let number = child.id();
        while life(number) != Life::Gone {
            std::thread::yield_now();
        }
        assert!(exists(number), "a zombie still has its number");
        child.wait().expect("true ends");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_cannot_shift_the_fields() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        assert_eq!(proc::number(stat, 22), Some(98765));
        assert_eq!(proc::number("", 22), None);
    }
}
