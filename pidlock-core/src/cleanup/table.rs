//! The held files of this process, by device and inode.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::slots::{Slot, Slots};
use crate::held::HeldFile;
use crate::sys::FileId;

/// A held file, and where it is published. Each handle has a reference to it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) held: HeldFile,
    pub(super) slot: &'static Slot,
}

/// Used under its lock only. A lookup that adds a handle, and the release that follows the last one,
/// each happen under it, so no handle is given out to a file that is being released.
#[derive(Default)]
pub(crate) struct Table {
    entries: BTreeMap<FileId, Weak<Entry>>,
    free_slots: Vec<&'static Slot>,
}

impl Table {
    /// Returns `true` if this process holds the file. A file whose descriptor was closed elsewhere in
    /// the program does not count: its lock is gone.
    pub(crate) fn contains(&self, id: FileId) -> bool {
        self.find(id).is_some()
    }

    /// Returns `true` if this process holds the file and offers it to a successor.
    pub(crate) fn is_offered(&self, id: FileId) -> bool {
        self.find(id).is_some_and(|entry| entry.held.is_offered())
    }

    pub(super) fn find(&self, id: FileId) -> Option<Arc<Entry>> {
        let entry = self.entries.get(&id)?.upgrade()?;
        entry.held.is_open().then_some(entry)
    }

    /// In place of a file with the same identity that lost its lock, if there is one.
    pub(super) fn insert(&mut self, slots: &Slots, held: HeldFile) -> Arc<Entry> {
        let slot = self.free_slots.pop().unwrap_or_else(|| slots.add());
        let entry = Arc::new(Entry { held, slot });
        self.entries.insert(entry.held.id, Arc::downgrade(&entry));
        entry
    }

    /// The entry is no longer found.
    pub(super) fn remove(&mut self, entry: &Arc<Entry>) {
        let id = entry.held.id;
        let is_this = |found: &Weak<Entry>| found.as_ptr() == Arc::as_ptr(entry);
        if self.entries.get(&id).is_some_and(is_this) {
            self.entries.remove(&id);
        }
    }

    pub(super) fn put_free(&mut self, slot: &'static Slot) {
        self.free_slots.push(slot);
    }
}
