//! Processes that do not follow the protocol: a probe and a writer.

use super::Note;
use super::state::{CLOSED, Lock, NO_FILE, Open, State, Text, Writer, WriterNext};

/// `status` or `pgrep -L`: opens the file, tries to take a shared lock, and closes the file.
pub(super) fn probe(state: &State, step: &mut Note<'_>) {
    let Open { file, lock, .. } = state.probe;
    let mut then = state.clone();
    let what = if file == NO_FILE {
        if state.path == NO_FILE {
            return;
        }
        then.probe = Open::of(state.path);
        "the probe opens the file"
    } else if lock == Lock::None && state.is_free_for_probe(file) {
        then.probe.lock = Lock::Shared;
        "the probe takes a shared lock"
    } else {
        then.probe = CLOSED;
        "the probe closes the file"
    };
    step(what, then);
}

/// A script that runs `echo $$ >`, never locks, and removes the file before it exits.
pub(super) fn write(state: &State, step: &mut Note<'_>) {
    let Writer {
        next, life, file, ..
    } = state.writer;
    if next == WriterNext::Dead {
        if state.budget.writers > 0 {
            step("the writer opens and truncates the file", open(state));
        }
        return;
    }
    if next == WriterNext::Write {
        let mut then = state.clone();
        then.set_text(file, Text::Writer(life));
        then.writer.next = WriterNext::Live;
        // A PID that is written while a process has the lock does not make the writer a holder.
        then.writer.settled = state.path == file && !state.is_locked(file);
        if !then.writer.settled && state.path != file {
            then.writer.file = NO_FILE;
        }
        step("the writer writes its PID", then);
    }
    let is_its_own = next == WriterNext::Live && file != NO_FILE && state.path == file;
    if is_its_own && (state.writer.settled || !state.is_decided(file)) {
        let mut then = state.clone();
        then.path = NO_FILE;
        then.writer.file = NO_FILE;
        then.writer.settled = false;
        step("the writer removes the file", then);
    }
    let mut then = state.clone();
    then.writer.next = WriterNext::Dead;
    then.writer.file = NO_FILE;
    then.writer.settled = false;
    step("the writer exits", then);
}

fn open(state: &State) -> State {
    let mut then = state.clone();
    then.budget.writers -= 1;
    then.writer.next = WriterNext::Write;
    then.writer.life += 1;
    if state.path == NO_FILE {
        let file = then.create(0);
        then.path = file;
    }
    then.writer.file = then.path;
    then.set_text(then.path, Text::Blank);
    then
}
