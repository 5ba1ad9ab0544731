//! The handler of termination signals: SIGTERM, SIGINT and SIGHUP.

use std::ffi::c_int;

use super::process::ProcessData;
use super::shutdown::{Noted, RemoveOn};
use crate::settings::OnSignal;
use crate::sys;

/// Installs the handler for signals with the default disposition, or for all of them with `Force`. To be
/// called in a critical section before a file is created or written: each time, because the program may
/// have set a signal back to its default. It is never uninstalled, because a handler that the program
/// installs later may chain to it.
pub(crate) fn install_handlers(on_signal: OnSignal) {
    for signal in sys::TERMINATION_SIGNALS {
        let is_wanted = match on_signal {
            OnSignal::Off => false,
            OnSignal::Auto => sys::current_handler(signal) == sys::DEFAULT_HANDLER,
            OnSignal::Force => !is_installed(signal),
        };
        if is_wanted {
            let old = sys::set_handler(signal, on_termination);
            // Another thread has installed its own handler since the query above: put it back.
            if on_signal == OnSignal::Auto && old.sa_sigaction != sys::DEFAULT_HANDLER {
                sys::sigaction(signal, Some(&old));
            }
        }
    }
}

fn is_installed(signal: c_int) -> bool {
    let handler: sys::Handler = on_termination;
    sys::current_handler(signal) == handler as usize
}

/// Removes the pidfiles and terminates the process by the signal. Calls async-signal-safe functions
/// only (signal-safety(7)).
///
/// May run in a `vfork` child, which shares the memory of its parent: nothing is stored before that
/// is ruled out.
extern "C" fn on_termination(signal: c_int) {
    sys::keeping_errno(|| {
        // A handler that was installed later has called this one: the program decides how it ends.
        if !is_installed(signal) {
            return;
        }
        // A forked child inherits the handler, but has nothing to remove.
        let Some(process) = ProcessData::peek() else {
            sys::terminate_by(signal)
        };
        match process.shutdown.note_signal(signal) {
            // Terminates here, or in the thread that leaves the last section, perhaps the one that
            // this handler has interrupted.
            Noted::Pending => process.leave_section(),
            Noted::Repeated => {
                process.slots.remove_all(RemoveOn::SIGNAL);
                sys::terminate_by(signal);
            }
            Noted::Terminating => {}
        }
    });
}
