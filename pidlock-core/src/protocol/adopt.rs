//! The successor's part of a hand-over: adopts a locked file that its predecessor has passed on.
//!
//! Three descriptors come with it. One is the pidfile, open and locked, which both processes share. One
//! holds a single byte: **the process that reads it is the owner**, the successor to adopt the file, or
//! the predecessor to keep it. The third tells the predecessor when to look, because it ends when the
//! successor has adopted the file or is gone.

use std::fs::File;
use std::io::Read;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::cleanup::{self, CriticalSection, Handle};
use crate::error::{During, Result};
use crate::held::HeldFile;
use crate::record;
use crate::settings::Target;
use crate::sys::{self, ProcessInstance};

/// Names the three descriptors.
pub(crate) const VARIABLE: &str = "PIDLOCK_HAND_OVER";

/// Reads the byte. Returns `true` once, in one of the processes that share it. Does not block, because
/// the other end of the stream is closed.
pub(crate) fn take_ownership(mut byte: &UnixStream) -> bool {
    byte.read_exact(&mut [0]).is_ok()
}

/// Adopts the file if a predecessor offers it. `None` if it does not: then it is acquired as any other.
pub(crate) fn adopt(target: &Target, process: ProcessInstance) -> Result<Option<Handle>> {
    let path = &target.path;
    let refers_to = |id| matches!(sys::path_refers_to(path, id), Ok(true));
    let Some(inherited) = sys::inherited(VARIABLE) else {
        return Ok(None);
    };
    let id = inherited.first();
    // The file of another path is left to the `acquire` of that path.
    if !refers_to(id) {
        return Ok(None);
    }
    // From here on the descriptors are closed, whatever happens: this process must not share the lock of
    // a file that it does not own.
    let Some([file, byte, link]) = inherited.take() else {
        return Ok(None);
    };
    let stream = |file: File| UnixStream::from(OwnedFd::from(file));
    let (byte, link) = (stream(byte), stream(link));
    let section = CriticalSection::enter(process);
    let has_lock = matches!(sys::try_lock_exclusive(&file), Ok(true));
    if !has_lock || !refers_to(id) || !take_ownership(&byte) {
        return Ok(None);
    }
    cleanup::install_handlers(target.settings.on_signal);
    let stat = sys::stat(&file).during("inspect", path)?;
    record::write(&file, process.pid(), stat.size).during("write", path)?;
    let held = HeldFile::adopted(target, file, id, process);
    let handle = section.insert(&target.settings, held);
    // Not by closing it: a program that started this one may have a copy of the descriptor.
    let _ = link.shutdown(Shutdown::Both);
    Ok(Some(handle))
}
