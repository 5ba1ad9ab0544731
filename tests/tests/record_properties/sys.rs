//! A stand-in for the part of the core's `sys` that `record.rs` uses.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

pub(crate) fn write_at_start(file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)
}
