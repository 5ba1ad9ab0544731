//! The successor's part of a hand-over: adopts a locked file that its predecessor has passed on.
//!
//! The successor inherits three descriptors. The first is the pidfile, open and locked, which both
//! processes share. The second is a stream with a single byte, which both share, too: **the process
//! that reads the byte is the owner**. The successor reads it to adopt the file, the predecessor to
//! keep it. The third is the link, a stream between the two. It ends when the successor has adopted
//! the file or is gone, so the predecessor waits for its end.

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

/// The environment variable that names the three descriptors.
pub(crate) const VARIABLE: &str = "PIDLOCK_HAND_OVER";

/// Reads the byte. Returns `true` only once, and only in one of the processes that share the
/// stream. Does not block, because the other end of the stream is closed.
pub(crate) fn take_ownership(mut byte: &UnixStream) -> bool {
    byte.read_exact(&mut [0]).is_ok()
}

/// Adopts the file if a predecessor offers it. Returns `None` if none does: then the file is
/// acquired like any other.
pub(crate) fn adopt(target: &Target, process: ProcessInstance) -> Result<Option<Handle>> {
    let path = &target.path;
    let refers_to = |id| matches!(sys::path_refers_to(path, id), Ok(true));
    let Some(inherited) = sys::inherited(VARIABLE) else {
        return Ok(None);
    };
    let id = inherited.first();
    // If the file is at another path, the `acquire` of that path adopts it.
    if !refers_to(id) {
        return Ok(None);
    }
    // From here on the descriptors are closed on each return without the file, because this process
    // must not share the lock of a file that it does not own.
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
    let handle = section.insert(held);
    // Ends the link. To close it would not be enough, because a program that started this one may
    // have a copy of the descriptor.
    let _ = link.shutdown(Shutdown::Both);
    Ok(Some(handle))
}
