//! What people and attackers put where a name, a directory or a pidfile should be. Each gets the
//! error that names what is wrong, nothing hangs, and nothing that was there is changed.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{
    NONEXISTENT_PID, Program, has_tool, is_root, run, said, skip, skip_for_this_user, text,
};
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
        (".", "pidfile name '.' is not a file name"),
        ("..", "pidfile name '..' is not a file name"),
        ("a/b", "pidfile name 'a/b' contains a path separator"),
        ("a/b", "the whole path with PidFile::at or path = \"...\""),
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
    let deep = dir.path().join("d/".repeat(3000));
    for file in [
        PidFile::new("x".repeat(300)).dir(dir.path()),
        PidFile::new("x").dir(deep),
    ] {
        for error in refusals(&file) {
            assert_says(&error, "pidfile '");
            assert_says(&error, "File name too long");
            let kind = std::io::Error::from(error).kind();
            assert_eq!(kind, std::io::ErrorKind::InvalidFilename);
        }
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
                ErrorKind::PermissionDenied
            );
        }
    }
    for error in refusals(&PidFile::new("a").dir("/usr/nowhere/to/go")) {
        assert_says(
            &error,
            &format!("does not exist and cannot be created by uid {uid}"),
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
    let file = PidFile::at(path).mode(0o600);
    let status = file.status().expect_err("not a regular file");
    for error in refusals(&file).into_iter().chain([status]) {
        assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
        assert_says(&error, words);
        assert_eq!(error.path(), Some(path));
        let kind = match words {
            "it is a directory" => ErrorKind::IsADirectory,
            _ => ErrorKind::InvalidInput,
        };
        assert_eq!(std::io::Error::from(error).kind(), kind);
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
        ("to-document", "it is a symbolic link"),
        ("dangling", "it is a symbolic link"),
        ("to-directory", "it is a symbolic link"),
        ("fifo", "it is a FIFO"),
        ("socket", "it is a socket"),
    ] {
        assert_untrusted_and_untouched(&at(name), words);
    }
    assert_untrusted_and_untouched(Path::new("/dev/null"), "it is a device");
    assert_eq!(picture(&at("document")), document);
    assert!(!at("nothing").exists());
}

/// To write into it would change the file under its other name, too.
#[test]
fn stale_file_with_a_second_name_is_replaced_and_the_other_name_untouched() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
    for contents in [String::new(), pidlock_tests::stale_record()] {
        for (lock, keep) in [(true, false), (true, true), (false, false), (false, true)] {
            fs::write(&other, &contents).expect("a file");
            fs::set_permissions(&other, Permissions::from_mode(0o666)).expect("a mode");
            fs::hard_link(&other, &path).expect("a link");
            let before = picture(&other);
            let file = PidFile::at(&path).mode(0o600).lock(lock).keep(keep);
            let guard = file.acquire().expect("a start");
            assert_ne!(picture(&path).0, before.0, "another inode");
            assert_eq!(text(&path), format!("{}\n", guard.pid()));
            guard.close().expect("an end");
            assert_eq!(picture(&other), before);
            assert_eq!(text(&other), contents);
            let _ = fs::remove_file(&path);
        }
    }
}

/// The bit that marks a pidfile means nothing on something else.
#[test]
fn lock_mark_on_something_else_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).expect("a fifo");
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    for (name, words) in [("fifo", "it is a FIFO"), ("socket", "it is a socket")] {
        fs::set_permissions(at(name), Permissions::from_mode(0o1644)).expect("a mode");
        assert_untrusted_and_untouched(&at(name), words);
    }
}

#[test]
fn stale_file_of_another_user_is_replaced_by_a_file_of_ours() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    let other = pidlock_tests::ORDINARY_UID;
    for mode in [0o1777, 0o777, 0o775, 0o1755, 0o755] {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).expect("a mode");
        let path = dir.path().join("app.pid");
        for lock in [true, false] {
            for contents in [String::new(), pidlock_tests::stale_record()] {
                fs::write(&path, &contents).expect("a stale file");
                chown(&path, Some(other), None).expect("another owner");
                // Open, its inode number is not reused, and what is written into it would be seen.
                let theirs = fs::File::open(&path).expect("their file");
                let before = theirs.metadata().expect("their file");
                let guard = PidFile::at(&path).lock(lock).acquire().expect("a start");
                let ours = fs::metadata(&path).expect("our file");
                assert_ne!(ours.ino(), before.ino(), "{mode:o}");
                assert_eq!((ours.uid(), ours.mode() & 0o777), (0, 0o644));
                assert_eq!(text(&path), format!("{}\n", guard.pid()));
                guard.close().expect("an end");
                assert_eq!(std::io::read_to_string(&theirs).expect("text"), contents);
                let after = theirs.metadata().expect("their file");
                let unchanged = |file: &fs::Metadata| (file.uid(), file.mode(), file.mtime_nsec());
                assert_eq!(unchanged(&after), unchanged(&before));
            }
        }
        // A start on behalf of that user writes into the file.
        fs::write(&path, pidlock_tests::stale_record()).expect("a stale file");
        chown(&path, Some(other), None).expect("another owner");
        let before = picture(&path);
        let guard = PidFile::at(&path).uid(other).acquire().expect("a start");
        assert_eq!(picture(&path).0, before.0, "the same inode");
        guard.close().expect("an end");
    }
}

/// In a sticky directory only root, the directory's owner and the file's can remove a file.
#[test]
fn stale_file_that_may_not_be_removed_is_named_with_its_owner_and_a_way_out() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    let uid = rustix::process::Uid::from_raw(pidlock_tests::ORDINARY_UID);
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).expect("a mode");
    let path = dir.path().join("app.pid");
    for contents in [String::new(), pidlock_tests::stale_record()] {
        for mode in [0o644, 0o666] {
            fs::write(&path, &contents).expect("a stale file");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
            chown(&path, Some(12), None).expect("another owner");
            let before = picture(&path);
            for lock in [true, false] {
                let file = PidFile::at(&path).lock(lock);
                // Of this thread alone.
                let start = thread::spawn(move || {
                    rustix::thread::set_thread_res_uid(uid, uid, uid).expect("root may");
                    file.acquire().expect_err("not ours to remove")
                });
                let error = start.join().expect("an error");
                assert_says(&error, "cannot replace stale pidfile");
                assert_says(
                    &error,
                    "as uid 65534: it belongs to uid 12 and no process holds it",
                );
                assert_says(&error, "remove it, or choose another directory");
                assert_eq!(error.path(), Some(&*path));
                assert_eq!(
                    std::io::Error::from(error).kind(),
                    ErrorKind::PermissionDenied
                );
                assert_eq!(picture(&path), before);
                assert_eq!(text(&path), contents);
            }
            assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
        }
    }
}

#[test]
fn contents_that_are_no_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    for (contents, words) in [
        (&b"0"[..], "0 is not a valid PID"),
        (b"0\n", "0 is not a valid PID"),
        (b"-1\n", "found \"-1\""),
        (b"+5\n", "found \"+5\""),
        (b"0x10\n", "found \"0x10\""),
        (
            b"10000000000000000000\n",
            "\"10000000000000000000\" is out of range",
        ),
        (b"2147483648\n", "\"2147483648\" is out of range"),
        (b"12 34\n", "found \"12 34\""),
        (b"12abc\n", "found \"12abc\""),
        (b"12\r34\n", r#"found "12\r34""#),
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
            assert_says(&error, "does not contain a PID");
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
    let blank = ["\r\n", "\0\0\0\0", "", "\n\n"].map(str::to_owned);
    for contents in blank.into_iter().chain(odd_records(NONEXISTENT_PID)) {
        for lock in [true, false] {
            fs::write(&path, &contents).expect("contents");
            let guard = PidFile::at(&path).lock(lock).acquire().expect("free");
            assert_eq!(text(&path), format!("{}\n", guard.pid()), "{contents:?}");
            guard.close().expect("an end");
        }
    }
}

/// As other programs and editors write it.
fn odd_records(pid: u32) -> [String; 7] {
    [
        format!("{pid}"),
        format!("{pid}\r\n"),
        format!("     {pid}\n"),
        format!("0000000000000000{pid}\n"),
        format!("\u{feff}{pid}\n"),
        format!("\n\t{pid} \n\n"),
        format!("{pid}{}", "\n".repeat(1000)),
    ]
}

/// A live process that does not lock.
fn stranger() -> Program {
    Program::start(&mut Command::new("cat"))
}

#[test]
fn running_process_is_found_in_a_record_that_looks_odd() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let stranger = stranger();
    for contents in odd_records(stranger.pid()) {
        fs::write(&path, &contents).expect("contents");
        let before = picture(&path);
        for error in refusals(&PidFile::at(&path)) {
            let is_running = matches!(error, PidFileError::AlreadyRunning { .. });
            assert!(is_running, "{contents:?}: {error}");
            assert_eq!(error.pid(), Some(stranger.pid()), "{contents:?}");
        }
        assert_eq!(picture(&path), before);
        assert_eq!(text(&path), contents);
    }
}

/// As PostgreSQL writes: the further lines are data of their owner.
#[test]
fn record_with_further_lines_refuses_while_its_process_lives_and_is_left_afterwards() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.pid");
    let mut stranger = stranger();
    let contents = format!("{}\n/var/lib/db\n5432\n", stranger.pid());
    fs::write(&path, &contents).expect("contents");
    let before = picture(&path);
    for error in refusals(&PidFile::at(&path)) {
        let is_running = matches!(error, PidFileError::AlreadyRunning { .. });
        assert!(is_running, "{error}");
        assert_eq!(error.pid(), Some(stranger.pid()));
    }
    stranger.kill();
    for error in refusals(&PidFile::at(&path)) {
        let is_unreadable = matches!(error, PidFileError::Unreadable { .. });
        assert!(is_unreadable, "{error}");
        let words = format!(
            "more than the PID of process {}, which is gone",
            stranger.pid()
        );
        assert_says(&error, &words);
        assert_says(&error, "remove the file if it is not needed");
    }
    assert_eq!(picture(&path), before);
    assert_eq!(text(&path), contents);
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
