//! Is the recorded process alive, and can it have written the file?

use std::time::{Duration, SystemTime};

use crate::sys::{self, LOCK_MARK, ProcessState, Stat};

/// How much later than the time of the file its writer can seem to have started, because both times
/// are rounded: start times to clock ticks (10 ms on Linux), file times to steps of up to 2 s
/// (FAT).
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// The slack for a file that has the lock mark and a time finer than a second. The writer of a
/// marked file locks it, and the lock is free, so less evidence is needed that the writer is gone.
const MARKED_CLOCK_SLACK: Duration = Duration::from_millis(50);

/// Returns `true` if the process exists and is not a zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    sys::process_state(pid) != ProcessState::Gone
}

/// Returns `true` if the process is alive and may have written the file, which no process has locked.
/// Otherwise the file is stale.
///
/// A process that started after the file was written is not the writer, but has got its PID. If one
/// of the times is not known, a file with the lock mark is stale, because a writer that locks is
/// gone when the lock is free.
pub(crate) fn may_have_written(pid: u32, file: &Stat) -> bool {
    is_possible_writer(sys::process_state(pid), file)
}

fn is_possible_writer(process: ProcessState, file: &Stat) -> bool {
    let ProcessState::Running {
        started,
        exiting: false,
    } = process
    else {
        return false;
    };
    let is_marked = file.mode & LOCK_MARK != 0;
    // The clock was set back if the file is from the future. Then its time says nothing, so ignore
    // it.
    let written = file.modified.filter(|&time| time <= SystemTime::now());
    match (started, written) {
        (Some(started), Some(written)) => !started_after(started, written, is_marked),
        _ => !is_marked,
    }
}

/// Returns `true` if the process is alive and the file, which no process has locked, means this
/// very process: it started before the file was written, so it had this PID then, and no other user
/// can have written the file. `false` if that is not known. Unlike [`may_have_written`], this gives
/// no benefit of the doubt, because the process is about to be signalled.
///
/// The slack is far shorter than the time in which the kernel reuses a PID, even on a busy machine.
/// But if the clock was set back after the file was written, a later process can seem older than
/// the file, which is not detected.
pub(crate) fn is_meant(pid: u32, file: &Stat) -> bool {
    let ProcessState::Running {
        started: Some(started),
        exiting: false,
    } = sys::process_state(pid)
    else {
        return false;
    };
    let is_older = |written: SystemTime| {
        written <= SystemTime::now() && started <= written + MARKED_CLOCK_SLACK
    };
    // The process's own user is trusted too: a user who writes the PID of such a process gains
    // nothing, because this user can signal it anyway.
    let writers = [Some(0), Some(sys::effective_uid()), sys::process_owner(pid)];
    let is_trusted = writers.contains(&Some(file.uid)) && file.mode & 0o022 == 0;
    is_trusted && file.modified.is_some_and(is_older)
}

fn started_after(started: SystemTime, written: SystemTime, is_marked: bool) -> bool {
    let is_fine = written
        .duration_since(SystemTime::UNIX_EPOCH)
        .is_ok_and(|since_epoch| since_epoch.subsec_nanos() != 0);
    let slack = match is_marked && is_fine {
        true => MARKED_CLOCK_SLACK,
        false => CLOCK_SLACK,
    };
    started
        .duration_since(written)
        .is_ok_and(|later| later > slack)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn process_older_than_the_file_may_have_written_it() {
        for is_marked in [false, true] {
            assert!(!started_after(at(1_001), at(60_001), is_marked));
            assert!(!started_after(at(60_001), at(60_001), is_marked));
            assert!(!started_after(at(60_051), at(60_001), is_marked));
        }
    }

    #[test]
    fn process_younger_than_the_file_has_a_reused_pid() {
        assert!(started_after(at(62_002), at(60_001), false));
        assert!(!started_after(at(62_001), at(60_001), false));
        assert!(started_after(at(60_052), at(60_001), true));
    }

    #[test]
    fn mark_decides_about_a_process_whose_start_time_is_hidden() {
        let hidden = ProcessState::Running {
            started: None,
            exiting: false,
        };
        let file = tempfile::tempfile().expect("create a file");
        let mut stat = sys::stat(&file).expect("inspect the file");
        for (mark, may_have_written) in [(0, true), (LOCK_MARK, false)] {
            stat.mode = mark;
            assert_eq!(is_possible_writer(hidden, &stat), may_have_written);
        }
    }

    #[test]
    fn time_in_whole_seconds_is_coarse() {
        assert!(!started_after(at(61_000), at(60_000), true));
        assert!(started_after(at(62_001), at(60_000), true));
    }
}
