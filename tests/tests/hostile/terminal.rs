//! What an attacker put into a path or into a file must not be obeyed by the terminal of who reads
//! the refusal, nor look like a line of its own.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::run;
use pidlock_tests::tally::Figures;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const WAYS: [&str; 7] = ["result", "boxed", "io", "exit", "skip", "unwrap", "debug"];

/// A title, a cleared screen, the same by one character, text that is shown backwards, a line of its
/// own, a bell, and bytes that are no text.
fn evil(prefix: &str) -> OsString {
    let text =
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}gnp\r\nfake: all is well\u{2028}\u{7f}\t";
    let mut bytes = prefix.as_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.extend(b"\x9b\xff");
    OsString::from_vec(bytes)
}

/// Refused in every way; how often.
fn assert_harmless(path: &Path) -> u64 {
    for way in WAYS {
        let mut program = Command::new(env!("CARGO_BIN_EXE_refuse_messages"));
        program.env("RUST_BACKTRACE", "0").arg(way).arg(path);
        let output = run(&mut program);
        // `skip` passes over contention, in silence.
        let silent = way == "skip" && output.status.success();
        assert_eq!(output.status.success(), silent, "{way}: {output:?}");
        assert_eq!(output.stderr.is_empty(), silent, "{way}: {output:?}");
        for bytes in [&output.stdout, &output.stderr] {
            let text = std::str::from_utf8(bytes).expect("text");
            let obeyed =
                |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}'..='\u{202e}');
            assert!(!text.contains(obeyed), "{way}: {text:?}");
            assert!(
                !text.lines().any(|line| line.starts_with("fake")),
                "{way}: {text:?}"
            );
        }
    }
    WAYS.len() as u64
}

#[test]
fn nothing_reaches_a_terminal_raw() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &OsStr| dir.path().join(name);
    let mut refusals = 0;

    // In the name of the file: held, a link, a directory, a FIFO.
    let held = PidFile::at(at(&evil("held"))).acquire().expect("a start");
    refusals += assert_harmless(held.path());
    symlink(evil("target"), at(&evil("link"))).expect("a link");
    refusals += assert_harmless(&at(&evil("link")));
    fs::create_dir(at(&evil("directory"))).expect("a directory");
    refusals += assert_harmless(&at(&evil("directory")));
    File::create(at(&evil("one"))).expect("a file");
    mknodat(CWD, at(&evil("two")), FileType::Fifo, Mode::from(0o600), 0).expect("a FIFO");
    refusals += assert_harmless(&at(&evil("two")));
    // In the name of the directory: one that is none.
    refusals += assert_harmless(&at(&evil("one")).join("app.pid"));
    // In a name that is too long, or names nothing.
    let long = "\u{1b}[2J".repeat(100);
    refusals += assert_harmless(&at(OsStr::new(&long)));
    refusals += assert_harmless(&at(&evil("one")).join(".."));

    // In the contents.
    for contents in [
        evil("").into_vec(),
        b"\x1b[2J\n".to_vec(),
        b"12\r\x1b[A".to_vec(),
        "\u{9b}2J\u{202e}12\n".into(),
        b"\x9b2J".to_vec(),
    ] {
        fs::write(at(&evil("text")), &contents).expect("contents");
        refusals += assert_harmless(&at(&evil("text")));
    }
    Figures::survived(refusals).record("escape sequences in names and contents");
}
