//! Is that process alive, and can it be the one that wrote this file?

use std::time::{Duration, SystemTime};

use crate::sys::{self, Life, ThisProcess};

/// How much later than the file a process may seem to have started and still be its writer. Start
/// times come in clock ticks (10 ms on Linux), file times in the granularity of the file system
/// (2 s on FAT).
const TOLERANCE: Duration = Duration::from_secs(2);

/// Whether a process that can do work has this number.
pub(crate) fn is_alive(pid: u32) -> bool {
    sys::life(pid) != Life::Gone
}

/// Whether a live process has this number that can have written a file last modified at `written`.
/// One that started after that has got the number of the writer, who is gone.
///
/// Where the platform does not tell when a process started, or the file when it was written, the
/// answer is yes: the doubt is the live process's.
pub(crate) fn may_have_written(pid: u32, written: Option<SystemTime>) -> bool {
    // A process that was killed gives its locks back a moment before it is gone, on a busy machine
    // a long one.
    let Life::Running {
        since,
        ending: false,
    } = sys::life(pid)
    else {
        return false;
    };
    !started_after(since, written)
}

/// Whether another process that exists has this number: enough to name who has a lock, which
/// somebody has for sure.
pub(crate) fn can_be_holder(pid: u32, me: ThisProcess) -> bool {
    pid != me.pid() && sys::exists(pid)
}

fn started_after(since: Option<SystemTime>, written: Option<SystemTime>) -> bool {
    match (since, written) {
        (Some(since), Some(written)) => since
            .duration_since(written)
            .is_ok_and(|later| later > TOLERANCE),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_process_that_started_before_the_file_was_written_may_have_written_it() {
        let since = WRITTEN.checked_sub(Duration::from_secs(60));
        assert!(!started_after(since, Some(WRITTEN)));
        assert!(!started_after(Some(WRITTEN), Some(WRITTEN)));
        assert!(!started_after(Some(WRITTEN + TOLERANCE), Some(WRITTEN)));
    }

    #[test]
    fn a_process_that_started_later_has_a_used_number() {
        let since = WRITTEN + TOLERANCE + Duration::from_millis(1);
        assert!(started_after(Some(since), Some(WRITTEN)));
    }

    #[test]
    fn doubt_is_for_the_live_process() {
        assert!(!started_after(None, Some(WRITTEN)));
        assert!(!started_after(Some(WRITTEN), None));
        let me = std::process::id();
        assert!(may_have_written(me, None));
        assert!(may_have_written(me, Some(SystemTime::now())));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn we_cannot_have_written_a_file_of_last_year() {
        let last_year = SystemTime::now() - Duration::from_secs(365 * 24 * 3600);
        assert!(!may_have_written(std::process::id(), Some(last_year)));
    }
}
