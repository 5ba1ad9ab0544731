//! The meaning of a pidfile's text, after the Filesystem Hierarchy Standard 3.0, section 3.15.2:
//! "they should ignore extra whitespace, leading zeroes, absence of the trailing newline, or
//! additional lines in the PID file".
//!
//! Written for comparison with that sentence, not for speed, and independent of the parser.

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Blank,
    Pid(u32),
    /// A PID, then a line that is not blank.
    PidWithMore(u32),
    Invalid,
}

const WHITE_SPACE: &[char] = &[' ', '\t', '\r', '\x0c', '\n'];

pub(crate) fn read(text: &[u8]) -> Expected {
    // The limit is pidlock's. The Filesystem Hierarchy Standard sets none.
    if text.len() > 4096 {
        return Expected::Invalid;
    }
    // One character for each byte, so that invalid UTF-8 is kept.
    let text: String = text.iter().copied().map(char::from).collect();
    if text.chars().all(|c| c == '\0' || WHITE_SPACE.contains(&c)) {
        return Expected::Blank;
    }
    let text = text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(&text);
    let mut lines = text
        .split('\n')
        .map(|line| line.trim_matches(WHITE_SPACE))
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let has_more = lines.next().is_some();
    let is_number = !first.is_empty() && first.chars().all(|c| c.is_ascii_digit());
    let digits = first.trim_start_matches('0');
    // Every PID fits into an `i32`.
    match digits.parse::<i32>() {
        Ok(pid) if is_number && has_more => Expected::PidWithMore(pid.unsigned_abs()),
        Ok(pid) if is_number => Expected::Pid(pid.unsigned_abs()),
        _ => Expected::Invalid,
    }
}
