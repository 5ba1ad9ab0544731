//! The rules of Windows for names. Pure, so that they are tested on every platform.

/// What is wrong with a name, or `None`. Windows would open another file than the one that is named, a device or
/// nothing, and its own errors blame the directory.
pub(crate) fn problem_of_name(name: &str) -> Option<&'static str> {
    let is_forbidden = |c: char| c < ' ' || "<>:\"/\\|?*".contains(c);
    if name.contains(is_forbidden) {
        return Some("contains a character not allowed in file names");
    }
    if name.ends_with(['.', ' ']) {
        return Some("ends in a dot or a space, which Windows removes");
    }
    if is_reserved(name) {
        return Some("is reserved for a device");
    }
    (name.encode_utf16().count() > 255).then_some("is longer than 255 characters")
}

/// What is wrong with a path, or `None`. The components `.` and `..` are allowed.
pub(crate) fn problem_of_path(path: &str) -> Option<&'static str> {
    let path = path
        .strip_prefix(r"\\?\")
        .or_else(|| path.strip_prefix(r"\\.\"))
        .unwrap_or(path);
    // `C:name`, without a separator, would be a file in the working directory of the drive.
    let path = match path.as_bytes() {
        [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic() => &path[3..],
        _ => path,
    };
    path.split(['/', '\\'])
        .filter(|name| !["", ".", ".."].contains(name))
        .find_map(problem_of_name)
}

/// A device has these names, whatever extension follows.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let is_port = |port: &str| {
        let number = stem.strip_prefix(port).unwrap_or_default();
        matches!(
            number,
            "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    };
    let devices = ["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"];
    devices.contains(&stem.as_str()) || is_port("COM") || is_port("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_does_not_keep_are_refused() {
        let long = "ä".repeat(256);
        for (names, problem) in [
            (
                &["a*b", "a?", "a:b.pid", "app.pid::$DATA", "a\tb", "a/b"][..],
                "not allowed",
            ),
            (&["app.", "app ", "app.pid. "], "ends in a dot"),
            (
                &[
                    "CON", "com1", "aux.txt", "nul", "Lpt9.pid", "con .pid", "COM²", "conin$",
                ],
                "reserved",
            ),
            (&[&long[..]], "longer"),
        ] {
            for name in names {
                let found = problem_of_name(name).expect(name);
                assert!(found.contains(problem), "{name}: {found}");
            }
        }
        let long = "ä".repeat(255);
        for name in [
            "app", ".app", "a b", "console", "com", "com10", "nul1.pid", "aux-1", &long,
        ] {
            assert_eq!(problem_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn paths_are_checked_by_component() {
        for path in [
            r"C:\run\app.pid",
            "c:/run/../app.pid",
            r"\\server\share\app.pid",
            r"\\?\C:\run\app.pid",
            r"\\?\UNC\server\share\app.pid",
            r"..\app.pid",
            r".\x\",
        ] {
            assert_eq!(problem_of_path(path), None, "{path}");
        }
        for path in [
            "a:b.pid",
            r"C:\run\app.pid:stream",
            r"C:\nul\app.pid",
            r"C:\run.\app.pid",
            r"\\?\a:b.pid",
        ] {
            assert!(problem_of_path(path).is_some(), "{path}");
        }
    }
}
