//! What the parser of records asks of the core's `sys`, which goes on after an interruption besides.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(crate) fn read_some_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some_at(file, &mut buffer[done..], offset + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

pub(crate) struct Stat {
    pub(crate) size: u64,
}

pub(crate) fn stat(file: &File) -> io::Result<Stat> {
    let size = file.metadata()?.len();
    Ok(Stat { size })
}

pub(crate) fn write_all(file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)
}
