//! What the parser of records asks of the core's `sys`, which goes on after an interruption besides.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;

pub(crate) type OpenFile = File;

pub(crate) fn read_some_at(file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

pub(crate) fn read_at(file: &OpenFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some_at(file, &mut buffer[done..], offset + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

pub(crate) struct Stat(Metadata);

impl Stat {
    pub(crate) fn size(&self) -> u64 {
        self.0.len()
    }
}

pub(crate) fn stat(file: &OpenFile) -> io::Result<Stat> {
    file.metadata().map(Stat)
}

pub(crate) fn truncate(file: &OpenFile, len: u64) -> io::Result<()> {
    file.set_len(len)
}

pub(crate) fn write_all(file: &OpenFile, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)
}
