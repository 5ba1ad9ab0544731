//! Processes beside those that follow the protocol.

use super::Note;
use super::state::{CLOSED, Lock, NO_FILE, Open, State, Text, Writer, WriterNext};

/// `status`, `pgrep -L`: opens the file, tries for a shared lock, closes.
pub(super) fn probe(state: &State, step: &mut Note<'_>) {
    let Open { file, lock, .. } = state.probe;
    let mut then = state.clone();
    let what = if file == NO_FILE {
        if state.path == NO_FILE {
            return;
        }
        then.probe = Open::of(state.path);
        "a probe opens the file"
    } else if lock == Lock::None && state.is_free_for_probe(file) {
        then.probe.lock = Lock::Shared;
        "a probe locks it, shared"
    } else {
        then.probe = CLOSED;
        "a probe closes it"
    };
    step(what, then);
}

/// `echo $$ >` in a script that never locks and removes the file in the end.
pub(super) fn write(state: &State, step: &mut Note<'_>) {
    let Writer {
        next, life, file, ..
    } = state.writer;
    if next == WriterNext::Dead {
        if state.budget.writers > 0 {
            step("a writer opens the file, and truncates it", open(state));
        }
        return;
    }
    if next == WriterNext::Write {
        let mut then = state.clone();
        then.set_text(file, Text::Writer(life));
        then.writer.next = WriterNext::Live;
        // What it writes while a process has the lock comes too late.
        then.writer.settled = state.path == file && !state.is_locked(file);
        if !then.writer.settled && state.path != file {
            then.writer.file = NO_FILE;
        }
        step("a writer writes its number", then);
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
    step("the writer ends", then);
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
