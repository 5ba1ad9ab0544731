//! The text of a pidfile.
//!
//! Written strictly, as `"12345\n"`. Read as the Filesystem Hierarchy Standard 3.0, section 3.15.2,
//! asks of programs that read PID files: "they should ignore extra whitespace, leading zeroes,
//! absence of the trailing newline, or additional lines in the PID file".

use std::fs::File;
use std::io;

use crate::error::escaped;
use crate::sys;

/// The longest text that can be a record, in bytes. A record that replaces a longer one is padded
/// with newlines for a moment.
const MAX_LEN: usize = 4096;

/// The largest PID: `pid_t` is a signed 32-bit number, and PIDs on Windows are far smaller.
const MAX_PID: u32 = i32::MAX as u32;

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Empty, or only white space and NULs, which is what a power cut leaves of a short file.
    Blank,
    Pid(u32),
    /// A PID on the first line that is not blank, then further lines. They may hold data that the
    /// owner of the file needs.
    PidWithMore(u32),
    /// Anything else. The reason follows the path in a message.
    Invalid(String),
}

impl Record {
    pub(crate) fn parse(text: &[u8]) -> Self {
        // First: no more than this is read, so a longer text is not known to be blank.
        if text.len() > MAX_LEN {
            return Self::invalid(format_args!("it is longer than {MAX_LEN} bytes"));
        }
        let is_blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
        if text.iter().all(is_blank) {
            return Self::Blank;
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let text = text.trim_ascii();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = text.split_at(digits);
        let line_end = rest.iter().take_while(|&&byte| byte != b'\n').count();
        let (line, more) = rest.split_at(line_end);
        if digits == 0 || !line.trim_ascii().is_empty() {
            return Self::invalid(format_args!("found {}", excerpt(text)));
        }
        match String::from_utf8_lossy(number).parse() {
            Ok(0) => Self::invalid(format_args!("0 is not a valid PID")),
            Ok(pid @ ..=MAX_PID) if more.is_empty() => Self::Pid(pid),
            Ok(pid @ ..=MAX_PID) => Self::PidWithMore(pid),
            _ => Self::invalid(format_args!("{} is out of range", excerpt(number))),
        }
    }

    fn invalid(found: std::fmt::Arguments<'_>) -> Self {
        Self::Invalid(format!("does not contain a PID: {found}"))
    }

    /// The PID in the text, if there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Pid(pid) | Self::PidWithMore(pid) => Some(*pid),
            Self::Blank | Self::Invalid(_) => None,
        }
    }
}

/// The first characters, for a message.
fn excerpt(text: &[u8]) -> String {
    const MAX_SHOWN: usize = 24;
    let head = String::from_utf8_lossy(&text[..text.len().min(MAX_SHOWN)]);
    let more = if text.len() > MAX_SHOWN { "..." } else { "" };
    format!("\"{}{more}\"", escaped(&head))
}

/// Reads the record of an open file of this size in bytes. If the size is not known, a text that
/// ends with a newline is taken for the whole.
pub(crate) fn read(file: &File, size: Option<u64>) -> io::Result<Record> {
    let mut text = [0; MAX_LEN + 1];
    let mut len = 0;
    loop {
        let read = sys::read_at(file, &mut text[len..], len as u64)?;
        len += read;
        let is_whole = match size {
            Some(size) => len as u64 == size,
            None => text[..len].ends_with(b"\n"),
        };
        if read == 0 || is_whole || len == text.len() {
            return Ok(Record::parse(&text[..len]));
        }
    }
}

/// Reads until two reads agree. A single one can see the old and the new record mixed.
pub(crate) fn read_settled(file: &File) -> io::Result<Record> {
    const MAX_READS: u32 = 10;
    let mut record = read(file, None)?;
    for _ in 1..MAX_READS {
        let again = read(file, None)?;
        if again == record {
            break;
        }
        record = again;
    }
    Ok(record)
}

/// Replaces the record in an open file of `old_len` bytes.
///
/// A single write covers the old text, then the file is truncated: no reader sees an empty file,
/// and a crash in between leaves a valid record.
pub(crate) fn write(file: &File, pid: u32, old_len: u64) -> io::Result<()> {
    let mut text = format!("{pid}\n").into_bytes();
    let len = text.len();
    let old_text = usize::try_from(old_len).unwrap_or(MAX_LEN).min(MAX_LEN);
    text.resize(old_text.max(len), b'\n');
    sys::write_at_start(file, &text)?;
    match old_len > len as u64 {
        true => file.set_len(len as u64),
        false => Ok(()),
    }
}

/// Empties a file that holds a record of this process, or overwrites the record with newlines where
/// a full file system refuses that. Returns the length of the blank text. Succeeds for an empty file
/// that cannot be written. Async-signal-safe.
pub(crate) fn erase(file: &File) -> io::Result<u64> {
    let blank = [b'\n'; "4294967295\n".len()];
    let Err(error) = file.set_len(0) else {
        return Ok(0);
    };
    match sys::write_at_start(file, &blank) {
        Ok(()) => Ok(blank.len() as u64),
        Err(_) if file.metadata().is_ok_and(|metadata| metadata.len() == 0) => Ok(0),
        Err(_) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_a_record() {
        for text in [
            &b"4711\n"[..],
            b"4711",
            b"4711\r\n",
            b"      4711\n",
            b"\t4711 \n",
            b"0004711\n",
            b"00000000000000000000000000004711\n",
            b"\n\n4711\n",
            b"\xef\xbb\xbf4711\n",
            b"4711\n\n\n",
            b"4711 \n \t\n",
        ] {
            assert_eq!(Record::parse(text), Record::Pid(4711), "{text:?}");
        }
        assert_eq!(Record::parse(b"2147483647\n"), Record::Pid(i32::MAX as u32));
    }

    #[test]
    fn pid_with_further_lines_is_pid_with_more() {
        for text in [
            &b"4711\nhost.example\n"[..],
            b"4711\n/var/lib/db\n1690000000\n5432\n",
            b"4711\r\n1\r\n",
            b"4711\n\0",
        ] {
            assert_eq!(Record::parse(text), Record::PidWithMore(4711), "{text:?}");
        }
    }

    #[test]
    fn white_space_and_nuls_are_blank() {
        for text in [&b""[..], b"\n", b" \t\r\n", b"\0\0\0\0", b"\0\n"] {
            assert_eq!(Record::parse(text), Record::Blank, "{text:?}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        let long = [b"7".to_vec(), b"\n".repeat(MAX_LEN)].concat();
        // No more than this is read of a file, so a document may follow.
        let blanks = b" ".repeat(MAX_LEN + 1);
        for text in [
            &b"0\n"[..],
            b"-4711\n",
            b"+4711\n",
            b"0x1267\n",
            b"4711abc\n",
            b"4711 4712\n",
            b"4711\0\0\0",
            b"pid=4711\n",
            b"10000000000000000000\n",
            b"99999999999999999999999999\n",
            b"\xff\xfe",
            b"Dear diary,\n",
            &long,
            &blanks,
        ] {
            assert!(
                matches!(Record::parse(text), Record::Invalid(_)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn rejects_a_number_that_no_process_can_have() {
        assert!(matches!(Record::parse(b"2147483648\n"), Record::Invalid(_)));
    }

    #[test]
    fn reason_quotes_the_text_escaped_and_shortened() {
        let Record::Invalid(reason) = Record::parse(b"\x1b]0;owned\x07 and quite a lot of text")
        else {
            panic!("not a record");
        };
        let quoted = r#"found "\u{1b}]0;owned\u{7} and quite a l...""#;
        assert!(reason.ends_with(quoted), "{reason}");
    }

    #[test]
    fn write_replaces_old_text_of_any_length() {
        for old in [
            "",
            "7\n",
            "2147483647\n",
            "12345",
            &"\n".repeat(100),
            &"\0".repeat(4096),
        ] {
            let mut file = tempfile::tempfile().expect("create a file");
            io::Write::write_all(&mut file, old.as_bytes()).expect("write the old text");
            write(&file, 345, old.len() as u64).expect("write the record");
            assert_eq!(file.metadata().expect("stat").len(), 4, "{old:?}");
            assert_eq!(read(&file, Some(4)).expect("read"), Record::Pid(345));
        }
    }

    #[test]
    fn erased_record_is_blank() {
        let file = tempfile::tempfile().expect("create a file");
        write(&file, 345, 0).expect("write the record");
        erase(&file).expect("erase");
        assert_eq!(read(&file, None).expect("read"), Record::Blank);
    }
}
