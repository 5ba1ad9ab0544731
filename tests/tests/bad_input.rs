//! What people and attackers put where a name, a directory or a pidfile should be. Each gets the
//! error that names what is wrong, nothing hangs, and nothing that was there is changed.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{has_tool, is_root, run, said, skip, skip_for_this_user, text};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Tries to start, with and without locks; far from hanging, both are refused.
fn refusals(file: &PidFile) -> [PidFileError; 2] {
    [true, false].map(|lock| {
        let (tell, told) = mpsc::channel();
        let file = file.clone().lock(lock);
        thread::spawn(move || tell.send(file.acquire().map(drop)));
        told.recv_timeout(Duration::from_secs(60))
            .expect("an answer")
            .expect_err("nothing to start with")
    })
}

#[track_caller]
fn assert_says(error: &PidFileError, words: &str) {
    assert!(
        error.to_string().contains(words),
        "{error:?} does not say {words:?}"
    );
}

#[test]
fn names_that_are_no_component_of_a_path() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, words) in [
        ("", "pidfile name '' is empty"),
        (".", "pidfile name '.' is a directory's"),
        ("..", "pidfile name '..' is a directory's"),
        ("a/b", "pidfile name 'a/b' contains a path separator"),
        ("/etc/passwd", "contains a path separator"),
        ("../escape", "contains a path separator"),
        ("a\0b", r"pidfile name 'a\u{0}b' contains a NUL character"),
    ] {
        for suffix in [true, false] {
            let file = PidFile::new(name).dir(dir.path()).suffix(suffix);
            for error in refusals(&file) {
                assert!(
                    matches!(error, PidFileError::Configuration { .. }),
                    "{error}"
                );
                assert_says(&error, words);
            }
            assert!(matches!(
                file.path(),
                Err(PidFileError::Configuration { .. })
            ));
            assert!(matches!(
                file.status(),
                Err(PidFileError::Configuration { .. })
            ));
        }
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

#[test]
fn names_that_are_too_long() {
    let dir = tempfile::tempdir().expect("a directory");
    for error in refusals(&PidFile::new("x".repeat(300)).dir(dir.path())) {
        assert!(
            matches!(error, PidFileError::Configuration { .. }),
            "{error}"
        );
        assert_says(&error, "is too long for its file system");
    }
    let deep = dir.path().join("d/".repeat(3000));
    for error in refusals(&PidFile::new("x").dir(deep)) {
        assert_says(&error, "pidfile path '");
        assert_says(&error, "is too long for the system: ");
    }
}

#[test]
fn names_that_look_odd_and_are_fine() {
    let dir = tempfile::tempdir().expect("a directory");
    let odd = [
        "...",
        " ",
        "-rf",
        "a b",
        "ä",
        "\u{1b}[2J",
        ".pid",
        "~",
        "$HOME",
        "a\\b",
    ];
    for name in odd
        .iter()
        .map(OsStr::new)
        .chain([OsStr::from_bytes(b"\xff\xfe")])
    {
        for lock in [true, false] {
            let guard = PidFile::new(name)
                .dir(dir.path())
                .lock(lock)
                .acquire()
                .expect("a start");
            assert_eq!(guard.path().parent(), Some(dir.path()));
            assert_eq!(text(guard.path()), format!("{}\n", std::process::id()));
            guard.close().expect("an end");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

#[test]
fn exact_paths_that_name_no_file() {
    for path in ["", "/", ".", "..", "a/..", "a/", "a/.", "a\0b"] {
        for error in refusals(&PidFile::at(path)) {
            assert!(
                matches!(error, PidFileError::Configuration { .. }),
                "{path:?}: {error}"
            );
        }
    }
}

#[test]
fn settings_that_contradict_each_other() {
    let exact = || PidFile::at("/run/a.pid");
    for file in [
        exact().name("b"),
        exact().dir("/tmp"),
        exact().suffix(false),
        exact().temp_dir(true),
        PidFile::new("a").dir("/tmp").temp_dir(true),
        PidFile::new("a").dir(""),
        PidFile::new("a").dir("a\0b"),
        PidFile::new("a").temp_dir(true).mode(0),
        PidFile::new("a").temp_dir(true).mode(0o444),
        PidFile::new("a").temp_dir(true).mode(0o4755),
    ] {
        for error in refusals(&file) {
            assert!(
                matches!(error, PidFileError::Configuration { .. }),
                "{file:?}: {error}"
            );
        }
    }
}

#[test]
fn a_directory_that_is_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "text").expect("a file");
    for bad in [file.clone(), file.join("below")] {
        for error in refusals(&PidFile::new("a").dir(&bad)) {
            assert_says(
                &error,
                &format!("pidfile directory '{}' is not a directory", bad.display()),
            );
        }
    }
    assert_eq!(text(&file), "text");
}

#[test]
fn a_directory_that_is_closed_to_us() {
    if is_root() {
        return skip_for_this_user("nothing is closed to root");
    }
    let uid = rustix::process::geteuid().as_raw();
    for dir in ["/", "/usr"] {
        for error in refusals(&PidFile::new("a").dir(dir)) {
            let words = format!(
                "pidfile directory '{dir}' is not writable by uid {uid}: choose another with dir = \"...\""
            );
            assert_says(&error, &words);
            assert_eq!(
                std::io::Error::from(error).kind(),
                std::io::ErrorKind::PermissionDenied
            );
        }
    }
    for error in refusals(&PidFile::new("a").dir("/usr/nowhere/to/go")) {
        assert_says(
            &error,
            &format!("is not there, and uid {uid} cannot make it"),
        );
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o600)).expect("a mode");
    for error in refusals(&PidFile::new("a").dir(dir.path())) {
        assert_says(&error, &format!("is not writable by uid {uid}"));
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("a mode");
}

#[test]
fn a_directory_on_a_read_only_file_system() {
    if !is_root() {
        return skip_for_this_user("only root can mount a file system");
    }
    if !has_tool("unshare") {
        return skip("there is no unshare");
    }
    let dir = tempfile::tempdir().expect("a directory");
    for flags in ["", "--no-lock"] {
        let script = "mount -t tmpfs -o ro none $1 && exec $2 --dir $1 --name app $3";
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "sh", "-c", script, "-"])
            .arg(dir.path());
        let output = run(unshare
            .arg(env!("CARGO_BIN_EXE_holder"))
            .arg(flags)
            .stdin(Stdio::null()));
        let words = format!(
            "refused: pidfile directory '{}' is on a read-only file system: choose another with \
             dir = \"...\"",
            dir.path().display()
        );
        assert!(said(&output).starts_with(&words), "{}", said(&output));
        assert_eq!(output.status.code(), Some(4));
    }
}

/// What stands at a path, to be compared with what stood there before.
fn picture(path: &Path) -> (u64, u32, u32, u64, i64, i64, Option<PathBuf>) {
    let m = fs::symlink_metadata(path).expect("it is there");
    (
        m.ino(),
        m.mode(),
        m.uid(),
        m.size(),
        m.mtime(),
        m.mtime_nsec(),
        fs::read_link(path).ok(),
    )
}

#[track_caller]
fn assert_untrusted_and_untouched(path: &Path, words: &str) {
    let before = picture(path);
    for error in refusals(&PidFile::at(path).mode(0o600)) {
        assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
        assert_says(&error, words);
        assert_eq!(error.path(), Some(path));
    }
    let looked = PidFile::at(path).status();
    if !words.contains("hard links") {
        assert!(
            matches!(looked, Err(PidFileError::Untrusted { .. })),
            "{looked:?}"
        );
    }
    assert_eq!(picture(path), before);
}

#[test]
fn something_else_where_the_pidfile_should_be() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);

    fs::write(at("document"), "precious").expect("a document");
    fs::create_dir(at("directory")).expect("a directory");
    symlink(at("document"), at("to-document")).expect("a link");
    symlink(at("nothing"), at("dangling")).expect("a link");
    symlink(at("directory"), at("to-directory")).expect("a link");
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).expect("a fifo");
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    let document = picture(&at("document"));

    for (name, words) in [
        ("directory", "it is a directory"),
        (
            "to-document",
            "it is a symbolic link, which is not followed",
        ),
        ("dangling", "it is a symbolic link, which is not followed"),
        (
            "to-directory",
            "it is a symbolic link, which is not followed",
        ),
        ("fifo", "it is a FIFO"),
        ("socket", "it is a socket"),
    ] {
        assert_untrusted_and_untouched(&at(name), words);
    }
    assert_untrusted_and_untouched(Path::new("/dev/null"), "it is a device");
    assert_eq!(picture(&at("document")), document);
    assert!(!at("nothing").exists());

    // A record, so that only the second name keeps it from being taken over.
    fs::write(at("record"), pidlock_tests::stale_record()).expect("a record");
    fs::hard_link(at("record"), at("second")).expect("a link");
    fs::hard_link(at("record"), at("third")).expect("a link");
    assert_untrusted_and_untouched(&at("second"), "it has 3 hard links");
}

/// The bit by which a file is known that a start made and did not finish means nothing on what no
/// start makes.
#[test]
fn the_sticky_bit_makes_nothing_else_ours_to_remove() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).expect("a fifo");
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    fs::write(at("empty"), "").expect("a file");
    fs::hard_link(at("empty"), at("second")).expect("a link");
    fs::hard_link(at("empty"), at("third")).expect("a link");
    for (name, words) in [
        ("fifo", "it is a FIFO"),
        ("socket", "it is a socket"),
        ("second", "it has 3 hard links"),
    ] {
        fs::set_permissions(at(name), Permissions::from_mode(0o1644)).expect("a mode");
        assert_untrusted_and_untouched(&at(name), words);
    }
}

#[test]
fn another_users_file_in_a_directory_that_others_may_write_to() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    for mode in [0o1777, 0o777, 0o775, 0o1755] {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).expect("a mode");
        let path = dir.path().join("app.pid");
        fs::write(&path, pidlock_tests::stale_record()).expect("a stale file");
        let other = pidlock_tests::ORDINARY_UID;
        std::os::unix::fs::chown(&path, Some(other), None).expect("another owner");
        let before = picture(&path);
        for error in refusals(&PidFile::at(&path)) {
            assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
            assert_says(&error, "it belongs to uid 65534");
        }
        assert_eq!(picture(&path), before);
        // Asked to be that user's, it is.
        let guard = PidFile::at(&path)
            .uid(other)
            .acquire()
            .expect("the user asked for");
        guard.close().expect("an end");
    }
    // In a directory that only root writes to, root has put it there.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    fs::write(&path, pidlock_tests::stale_record()).expect("a stale file");
    std::os::unix::fs::chown(&path, Some(pidlock_tests::ORDINARY_UID), None)
        .expect("another owner");
    PidFile::at(&path)
        .acquire()
        .expect("a start")
        .close()
        .expect("an end");
}

#[test]
fn contents_that_are_no_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for (contents, words) in [
        (&b"0"[..], "0 is no process"),
        (b"0\n", "0 is no process"),
        (b"-1\n", "found \"-1\""),
        (b"+5\n", "found \"+5\""),
        (b"0x10\n", "found \"0x10\""),
        (
            b"10000000000000000000\n",
            "10000000000000000000\" is too large",
        ),
        (b"2147483648\n", "2147483648\" is too large"),
        (b"00000000000000012345\n", "found \"00000000000000012345\""),
        (b"12 34\n", "found \"12 34\""),
        (b"12abc\n", "found \"12abc\""),
        (b"\xef\xbb\xbf12\n", "found \"\u{feff}12\""),
        (b"12\r\n", r#"found "12\r""#),
        (b"12\0", r#"found "12\u{0}""#),
        (b"\x1b]0;title\x07", r#"found "\u{1b}]0;title\u{7}""#),
        (
            b"# my notes on the pidfile\n",
            "found \"# my notes on the pidfil...",
        ),
    ] {
        fs::write(&path, contents).expect("contents");
        let before = picture(&path);
        let file = PidFile::at(&path);
        for error in refusals(&file)
            .into_iter()
            .chain([file.status().expect_err("no record")])
        {
            assert!(
                matches!(error, PidFileError::Unreadable { .. }),
                "{contents:?}: {error}"
            );
            assert_says(&error, words);
            assert_says(&error, "does not hold a PID");
        }
        assert_eq!(picture(&path), before, "{contents:?}");
        assert_eq!(fs::read(&path).expect("contents"), contents);
    }
}

#[test]
fn a_gibibyte_of_digits_and_a_tebibyte_of_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    fs::write(&path, "7".repeat(1 << 16)).expect("digits");
    let file = fs::File::options()
        .write(true)
        .open(&path)
        .expect("the file");
    // The rest is a hole: nobody needs a gibibyte of disk to see that the end is not looked for.
    file.set_len(1 << 30).expect("a length");
    let before = picture(&path);
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }
    assert_eq!(picture(&path), before);

    fs::write(&path, "").expect("nothing");
    file.set_len(1 << 40).expect("a length");
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }

    // A document behind a page of blanks is a document.
    fs::write(&path, [" ".repeat(5000), "text".into()].concat()).expect("a document");
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }
}

#[test]
fn contents_that_are_fine_although_they_look_odd() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let no_line_feed = pidlock_tests::NONEXISTENT_PID.to_string();
    for contents in [no_line_feed.as_bytes(), b"\r\n", b"\0\0\0\0", b"", b"\n\n"] {
        for lock in [true, false] {
            fs::write(&path, contents).expect("contents");
            PidFile::at(&path)
                .lock(lock)
                .acquire()
                .expect("free")
                .close()
                .expect("an end");
        }
    }
}

#[test]
fn a_refusal_shows_no_control_characters() {
    let dir = tempfile::tempdir().expect("a directory");
    let evil = "\u{1b}[31m\r\n\u{202e}\u{9b}x";
    fs::write(dir.path().join(format!("{evil}.pid")), "\u{1b}[2J").expect("contents");
    for error in refusals(&PidFile::new(evil).dir(dir.path())) {
        let words = error.to_string();
        assert!(
            !words.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "{words:?}"
        );
    }
}
