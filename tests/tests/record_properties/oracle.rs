//! What a pidfile's text says, written to be seen to be right and not to be fast. Knows nothing of
//! the parser.

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Blank,
    Pid(u32),
    Neither,
}

/// A record is exactly what `printf "%d\n"` prints for a PID, with more line feeds, or none, behind.
pub(crate) fn read(text: &[u8]) -> Expected {
    if text.iter().all(|byte| b"\0 \t\n\x0c\r".contains(byte)) {
        return Expected::Blank;
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Expected::Neither;
    };
    let number = text.trim_end_matches('\n');
    match number.parse::<i32>() {
        // The way back is the proof that nothing else was in it: no sign, no zero in front.
        Ok(pid) if pid > 0 && pid.to_string() == number && text.len() <= 4096 => {
            Expected::Pid(pid.unsigned_abs())
        }
        _ => Expected::Neither,
    }
}
