//! Control characters that an attacker put into a path or into a file. A refusal must not send them
//! to the terminal, and text of the attacker must not begin a line.

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

/// Sequences that set the title, clear the screen and set the color; text that is shown backwards;
/// line breaks; a bell; and bytes that are not UTF-8.
fn evil(prefix: &str) -> OsString {
    let text =
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}gnp\r\nfake: all is well\u{2028}\u{7f}\t";
    let mut bytes = prefix.as_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.extend(b"\x9b\xff");
    OsString::from_vec(bytes)
}

/// Asserts that a start is refused in every way, without control characters in its output. Returns
/// the number of refusals.
fn assert_harmless(path: &Path) -> u64 {
    for way in WAYS {
        let mut program = Command::new(env!("CARGO_BIN_EXE_refuse_messages"));
        program.env("RUST_BACKTRACE", "0").arg(way).arg(path);
        let output = run(&mut program);
        // `skip` prints nothing if the file is held.
        let silent = way == "skip" && output.status.success();
        assert_eq!(output.status.success(), silent, "{way}: {output:?}");
        assert_eq!(output.stderr.is_empty(), silent, "{way}: {output:?}");
        for bytes in [&output.stdout, &output.stderr] {
            let text = std::str::from_utf8(bytes).expect("the output is UTF-8");
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
fn refusal_of_a_hostile_file_prints_no_control_characters() {
    let dir = tempfile::tempdir().expect("create a directory");
    let at = |name: &OsStr| dir.path().join(name);
    let mut refusals = 0;

    // In the name of a held file, a link, a directory and a FIFO.
    let held = PidFile::at(at(&evil("held")))
        .acquire()
        .expect("acquire the file");
    refusals += assert_harmless(held.path());
    symlink(evil("target"), at(&evil("link"))).expect("create a link");
    refusals += assert_harmless(&at(&evil("link")));
    fs::create_dir(at(&evil("directory"))).expect("create a directory");
    refusals += assert_harmless(&at(&evil("directory")));
    File::create(at(&evil("one"))).expect("create the file");
    mknodat(CWD, at(&evil("two")), FileType::Fifo, Mode::from(0o600), 0).expect("create a FIFO");
    refusals += assert_harmless(&at(&evil("two")));
    // In the name of the directory, which is a regular file.
    refusals += assert_harmless(&at(&evil("one")).join("app.pid"));
    // In a name that is too long, and in a path without a file name.
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
        fs::write(at(&evil("text")), &contents).expect("write the file");
        refusals += assert_harmless(&at(&evil("text")));
    }
    Figures::survived(refusals).record("escape sequences in names and contents");
}
