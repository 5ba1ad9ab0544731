//! A pidfile's text: one PID in decimal and a line feed, nothing else.

use std::io;

use crate::error::Printable;
use crate::sys::{self, OpenFile};

/// Longest text that can be a record, in bytes. A record that took the place of a longer one is
/// padded with line feeds up to the old length, so a record may be longer than a number.
const MAX_LEN: usize = 4096;

/// The largest PID that the platform can have: `pid_t` is a signed 32-bit number.
#[cfg(unix)]
const MAX_PID: u32 = i32::MAX as u32;
#[cfg(not(unix))]
const MAX_PID: u32 = u32::MAX;

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Nothing, or only white space and NULs, which is what a power cut leaves of a short file.
    Blank,
    /// One process.
    Pid(u32),
    /// Something else; the reason is for a person.
    NotAPid(String),
}

impl Record {
    /// Reads a whole file's bytes strictly: digits without sign or leading zero, then line feeds
    /// only. `12 34`, `+5` or a byte order mark may be the beginning of somebody's document, and
    /// who is not sure must not overwrite.
    pub(crate) fn parse(text: &[u8]) -> Self {
        if is_blank(text) {
            return Self::Blank;
        }
        if text.len() > MAX_LEN {
            return Self::NotAPid(format!("it is longer than {MAX_LEN} bytes"));
        }
        let (number, digits) = leading_number(text);
        let is_alone = text[digits..].iter().all(|&byte| byte == b'\n');
        let is_canonical = digits > 0 && (text[0] != b'0' || digits == 1);
        if !is_alone || !is_canonical {
            let line_feeds = text.iter().rev().take_while(|&&byte| byte == b'\n').count();
            let text = &text[..text.len() - line_feeds];
            return Self::NotAPid(format!("found {}", excerpt(text)));
        }
        match number {
            0 => Self::NotAPid("0 is no process".into()),
            pid if pid <= u64::from(MAX_PID) => Self::Pid(pid as u32),
            _ => Self::NotAPid(format!("{} is too large", excerpt(&text[..digits]))),
        }
    }

    /// The process that the text names, if it names one.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Pid(pid) => Some(*pid),
            Self::Blank | Self::NotAPid(_) => None,
        }
    }
}

/// Nothing but NULs and ASCII white space.
fn is_blank(text: &[u8]) -> bool {
    text.iter()
        .all(|&byte| byte == 0 || byte.is_ascii_whitespace())
}

/// How far to look for something that is not blank, in bytes. A file longer than this is no
/// pidfile, whatever it holds.
const MAX_BLANK: u64 = 1 << 20;

/// Reads the record of an open file of this size in bytes. Where that is not known, a text that ends
/// with a line feed is taken for the whole.
pub(crate) fn read(file: &OpenFile, size: Option<u64>) -> io::Result<Record> {
    // Enough for every number, and one call; only a padded, damaged or strange file takes more. So
    // does one of which a file system gives less than is asked for.
    let mut text = [0; 32];
    let len = sys::read_some_at(file, &mut text, 0)?;
    let is_whole = match size {
        Some(size) => len as u64 == size,
        None => len == 0 || text[len - 1] == b'\n',
    };
    if is_whole && len < text.len() {
        return Ok(Record::parse(&text[..len]));
    }
    let mut text = vec![0; MAX_LEN + 1];
    let len = sys::read_at(file, &mut text, 0)?;
    let record = Record::parse(&text[..len]);
    if record != Record::Blank || len < text.len() {
        return Ok(record);
    }
    let mut offset = len as u64;
    loop {
        let len = sys::read_at(file, &mut text, offset)?;
        offset += len as u64;
        if len == 0 {
            return Ok(Record::Blank);
        }
        if offset > MAX_BLANK || !is_blank(&text[..len]) {
            return Ok(Record::NotAPid(format!(
                "it is longer than {MAX_LEN} bytes"
            )));
        }
    }
}

/// The record of one process, as it is written.
#[derive(Debug)]
pub(crate) struct Text {
    /// With line feeds behind it, for what is written over.
    padded: [u8; SHORT],
    len: usize,
}

/// How much of an older record is written over without asking for memory, in bytes. The longest text,
/// `"4294967295\n"`, is shorter.
const SHORT: usize = 16;

impl Text {
    pub(crate) fn of(pid: u32) -> Self {
        let digits = 1 + pid.checked_ilog10().unwrap_or(0) as usize;
        let mut padded = [b'\n'; SHORT];
        let mut rest = pid;
        for digit in padded[..digits].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self {
            padded,
            len: digits + 1,
        }
    }
}

/// Replaces the record in an open file of `old_len` bytes.
///
/// One write covers the old text whole, then the file is shortened: no reader ever sees nothing,
/// or a mixture, and a death in between leaves a valid record.
#[inline(always)] // mostly one call
pub(crate) fn write(file: &OpenFile, text: &Text, old_len: u64) -> io::Result<()> {
    match usize::try_from(old_len) {
        Ok(old_len) if old_len <= text.len => sys::write_all(file, &text.padded[..text.len]),
        Ok(old_len) if old_len <= SHORT => {
            sys::write_all(file, &text.padded[..old_len])?;
            sys::truncate(file, text.len as u64)
        }
        _ => write_over_long(file, text, old_len),
    }
}

#[cold]
fn write_over_long(file: &OpenFile, text: &Text, old_len: u64) -> io::Result<()> {
    let text = &text.padded[..text.len];
    if old_len > MAX_LEN as u64 {
        // Only a blank file gets here: there is nothing for a reader to miss.
        sys::truncate(file, 0)?;
        return sys::write_all(file, text);
    }
    let mut long = vec![b'\n'; old_len as usize];
    long[..text.len()].copy_from_slice(text);
    sys::write_all(file, &long)?;
    sys::truncate(file, text.len() as u64)
}

/// Writes over the record, so that it names nobody.
pub(crate) fn blank(file: &OpenFile) -> io::Result<()> {
    let len = usize::try_from(sys::stat(file)?.size()).unwrap_or(MAX_LEN);
    sys::write_all(file, &vec![b'\n'; len.min(MAX_LEN)])
}

/// The number that a text begins with, `u64::MAX` where it has too many digits, and how many it has.
fn leading_number(text: &[u8]) -> (u64, usize) {
    let mut number = 0u64;
    let mut digits = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(digits) {
        number = number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'));
        digits += 1;
    }
    (number, digits)
}

/// The first few characters, harmless to a terminal.
fn excerpt(text: &[u8]) -> String {
    const SHOWN: usize = 24;
    let cut = text.len() > SHOWN;
    let head = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
    format!("\"{}{}\"", Printable(&head), if cut { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_line_feeds_are_a_record() {
        for (text, pid) in [
            (&b"1\n"[..], 1),
            (b"12345\n", 12345),
            (b"12345", 12345),
            (b"7\n\n\n\n\n", 7),
            (b"2147483647\n", 2_147_483_647),
        ] {
            assert_eq!(Record::parse(text), Record::Pid(pid), "{text:?}");
        }
    }

    #[test]
    fn what_a_power_cut_leaves_is_blank() {
        for text in [&b""[..], b"\n", b" \t\r\n", b"\0\0\0\0", b"\0\n"] {
            assert_eq!(Record::parse(text), Record::Blank, "{text:?}");
        }
        assert_eq!(Record::parse(&[0; 3 * MAX_LEN]), Record::Blank);
    }

    #[test]
    fn anything_else_is_somebodys_document() {
        let long = [b"7".to_vec(), b"\n".repeat(MAX_LEN)].concat();
        for text in [
            &b"0\n"[..],
            b"-1\n",
            b"+5\n",
            b"0x10\n",
            b"007\n",
            b"10000000000000000000\n",
            b"99999999999999999999999999\n",
            b"00000000000000012345\n",
            b"12 34\n",
            b"12abc\n",
            b" 12\n",
            b"12 \n",
            b"12\r\n",
            b"12\n34\n",
            b"\xef\xbb\xbf12\n",
            b"12\0\0",
            b"\n12\n",
            b"\xff\xfe",
            b"Dear diary,\n",
            &long,
        ] {
            assert!(
                matches!(Record::parse(text), Record::NotAPid(_)),
                "{text:?}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_number_that_no_process_can_have_is_no_record() {
        assert!(matches!(Record::parse(b"2147483648\n"), Record::NotAPid(_)));
    }

    #[test]
    fn the_reason_quotes_the_text_without_its_control_characters() {
        let Record::NotAPid(reason) = Record::parse(b"\x1b]0;owned\x07 and quite a lot of text")
        else {
            panic!("not a record");
        };
        assert_eq!(
            reason,
            r#"found "\u{1b}]0;owned\u{7} and quite a l..."#.to_owned() + "\""
        );
    }

    #[test]
    fn a_record_is_the_number_and_a_line_feed() {
        for pid in [0, 5, 9, 10, 99, 12345, u32::MAX] {
            let text = Text::of(pid);
            let (record, behind) = text.padded.split_at(text.len);
            assert_eq!(record, format!("{pid}\n").as_bytes());
            assert!(behind.iter().all(|&byte| byte == b'\n'));
        }
    }

    #[test]
    fn a_record_replaces_what_was_there_whatever_its_length() {
        for old in [
            "",
            "7\n",
            "2147483647\n",
            "12345",
            &"\n".repeat(16),
            &"\n".repeat(17),
            &"\n".repeat(100),
            &"\0".repeat(9000),
        ] {
            let mut file = tempfile::tempfile().expect("a file can be made");
            io::Write::write_all(&mut file, old.as_bytes()).expect("it can be written");
            let file = OpenFile::from(file);
            write(&file, &Text::of(345), old.len() as u64).expect("it can be written");
            let mut text = [0; 16];
            let len = sys::read_at(&file, &mut text, 0).expect("it can be read");
            assert_eq!(&text[..len], b"345\n", "{old:?}");
            let record = read(&file, Some(4)).expect("it can be read");
            assert_eq!(record, Record::Pid(345));
        }
    }
}
