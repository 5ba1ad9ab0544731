//! Counted handles to a held file. The last one to be dropped releases it.

use std::mem;
use std::ops::Deref;
use std::sync::Arc;

use super::critical::CriticalSection;
use super::exit;
use super::shutdown::RemoveOn;
use super::table::{Entry, Table};
use crate::error::Result;
use crate::held::HeldFile;
use crate::settings::OnSignal;
use crate::sys::{self, FileId};
use crate::trace::event;

/// A handle to a file that this process holds, or that its parent held when it forked.
#[derive(Debug)]
pub(crate) struct Handle(Option<Arc<Entry>>); // `None` after release

impl CriticalSection {
    /// Takes over a held file, which from now on is removed however the process ends, and returns its
    /// first handle.
    pub(crate) fn insert(&self, held: HeldFile) -> Handle {
        let settings = held.settings;
        let entry = self.process.table().insert(&self.process.slots, held);
        let on_signal = settings.on_signal != OnSignal::Off;
        let occasions = RemoveOn::new(on_signal, settings.at_exit);
        entry.slot.publish(&entry.held, occasions);
        if settings.at_exit {
            exit::register();
        }
        Handle(Some(entry))
    }
}

impl Table {
    /// Another handle to a file that this process holds.
    pub(crate) fn handle(&mut self, id: FileId) -> Option<Handle> {
        self.find(id).map(|entry| Handle(Some(entry)))
    }
}

impl Handle {
    /// Offers the file to a successor. Returns `false` if there are other handles to it.
    #[cfg(unix)]
    pub(crate) fn offer(&self) -> bool {
        // No handle is added meanwhile, nor afterwards.
        let _table = Table::of(self.owner);
        let is_only = self.0.as_ref().is_some_and(|it| Arc::strong_count(it) == 1);
        if is_only {
            self.set_offered(true);
        }
        is_only
    }

    /// Returns a function for the owner that tells whether another process has removed or replaced the
    /// file; `None` once this process has released it.
    pub(crate) fn check(&self) -> impl Fn() -> Option<bool> + Send + Sync + 'static {
        let (entry, owner) = (self.0.as_ref().map(Arc::downgrade), self.owner);
        move || {
            // No handle is released meanwhile.
            let _table = Table::of(owner);
            let entry = entry.as_ref()?.upgrade()?;
            let refers = sys::path_refers_to(&entry.held.path, entry.held.id);
            // The handlers do not take the table's lock. They claim the file before they remove it.
            Some(matches!(refers, Ok(false)) && !entry.slot.is_claimed())
        }
    }

    /// Drops the handle and reports whether the file was released.
    pub(crate) fn close(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        let Some(entry) = self.0.take() else {
            return Ok(());
        };
        let owner = entry.held.owner;
        if !owner.is_current() {
            // In a forked child only the descriptor is closed, with the last handle.
            return Ok(());
        }
        let section = CriticalSection::enter(owner);
        let mut table = section.process.table();
        // Counted down, and closed, under the table's lock: another thread that finds the file locked
        // by this process must find it in the table or unlocked.
        if Arc::strong_count(&entry) > 1 {
            drop(entry);
            return Ok(());
        }
        table.remove(&entry);
        if !entry.slot.withdraw() {
            // The exit handler has released the file, and may be at it still.
            mem::forget(entry);
            return Ok(());
        }
        table.put_free(entry.slot);
        let mut entry = Arc::into_inner(entry).expect("the last handle");
        let released = entry.held.release_and_close();
        drop(table);
        drop(section);
        match &released {
            Ok(()) => event!(DEBUG, &entry.held.path, owner.pid(), "released"),
            Err(error) => event!(WARN, &entry.held.path, owner.pid(), "not released", error),
        }
        released
    }
}

impl Deref for Handle {
    type Target = HeldFile;

    fn deref(&self) -> &HeldFile {
        let entry = self.0.as_ref();
        &entry.expect("a handle is used before it is released").held
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.release();
    }
}
