//! Invalid names, directories and pidfiles, by mistake or by an attack. Each start returns an error
//! that says what is wrong, does not hang, and changes no file.

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
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::{
    NONEXISTENT_PID, Program, has_tool, is_root, run, said, skip, skip_for_this_user, text,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Starts with and without a lock, and returns both errors. Panics if a start hangs.
fn refusals(file: &PidFile) -> [PidFileError; 2] {
    [true, false].map(|lock| {
        let (tell, told) = mpsc::channel();
        let file = file.clone().lock(lock);
        thread::spawn(move || tell.send(file.acquire().map(drop)));
        told.recv_timeout(Duration::from_secs(60))
            .expect("the start does not hang")
            .expect_err("the start is refused")
    })
}

#[track_caller]
fn assert_says(error: &PidFileError, words: &str) {
    assert!(
        error.to_string().contains(words),
        "{error:?} does not contain {words:?}"
    );
}

#[test]
fn name_that_is_not_a_path_component_is_refused() {
    let dir = tempfile::tempdir().expect("create a directory");
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
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("read the directory")
            .count(),
        0
    );
}

#[test]
fn too_long_name_is_refused() {
    let dir = tempfile::tempdir().expect("create a directory");
    let deep = dir.path().join("d/".repeat(3000));
    for file in [
        PidFile::new("x".repeat(300)).dir(dir.path()),
        PidFile::new("x").dir(deep),
    ] {
        for error in refusals(&file) {
            assert_says(&error, "pidfile '");
            assert_says(&error, "File name too long");
            let PidFileError::Io { source, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(source.raw_os_error(), Some(libc::ENAMETOOLONG));
        }
    }
}

#[test]
fn unusual_valid_name_is_accepted() {
    let dir = tempfile::tempdir().expect("create a directory");
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
                .expect("acquire the file");
            assert_eq!(guard.path().parent(), Some(dir.path()));
            assert_eq!(text(guard.path()), format!("{}\n", std::process::id()));
            guard.close().expect("release the file");
        }
    }
    assert_eq!(
        fs::read_dir(dir.path())
            .expect("read the directory")
            .count(),
        0
    );
}

#[test]
fn path_without_a_file_name_is_refused() {
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
fn invalid_or_conflicting_settings_are_refused() {
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
fn directory_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().expect("create a directory");
    let file = dir.path().join("file");
    fs::write(&file, "text").expect("write the file");
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
fn link_to_nothing_in_the_place_of_a_directory_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("create a directory");
    let link = dir.path().join("link");
    symlink(dir.path().join("nothing"), &link).expect("create a link");
    let below = link.join("below");
    for lock in [true, false] {
        let start = Instant::now();
        let error = PidFile::new("a").dir(&link).lock(lock).acquire();
        let words = format!(
            "pidfile directory '{}' is a link to nothing",
            link.display()
        );
        assert_says(&error.expect_err("there is no directory"), &words);
        let error = PidFile::new("a").dir(&below).lock(lock).acquire();
        let words = format!(
            "pidfile directory '{}' is not a directory, because '{}' is a link to nothing",
            below.display(),
            link.display()
        );
        assert_says(&error.expect_err("there is no directory"), &words);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn unwritable_directory_is_refused() {
    if is_root() {
        return skip_for_this_user("root can write to every directory");
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
    let dir = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o600)).expect("set the mode");
    for error in refusals(&PidFile::new("a").dir(dir.path())) {
        assert_says(&error, &format!("is not writable by uid {uid}"));
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("set the mode");
}

#[test]
fn directory_on_a_read_only_file_system_is_refused() {
    if !is_root() {
        return skip_for_this_user("only root can mount a file system");
    }
    if !has_tool("unshare") {
        return skip("unshare is not installed");
    }
    let dir = tempfile::tempdir().expect("create a directory");
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

/// Metadata that shows whether the file at a path was changed or replaced.
fn picture(path: &Path) -> (u64, u32, u32, u64, i64, i64, Option<PathBuf>) {
    let m = fs::symlink_metadata(path).expect("inspect the file");
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
fn file_that_is_not_regular_is_refused_and_stays_unchanged() {
    let dir = tempfile::tempdir().expect("create a directory");
    let at = |name: &str| dir.path().join(name);

    fs::write(at("document"), "precious").expect("write the document");
    fs::create_dir(at("directory")).expect("create a directory");
    symlink(at("document"), at("to-document")).expect("create a link");
    symlink(at("nothing"), at("dangling")).expect("create a link");
    symlink(at("directory"), at("to-directory")).expect("create a link");
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).expect("create a FIFO");
    let _socket = UnixListener::bind(at("socket")).expect("create a socket");
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

/// A start must not write into the file, because the write would change it under both names.
#[test]
fn stale_file_with_a_second_link_is_replaced_and_the_other_link_is_unchanged() {
    let dir = tempfile::tempdir().expect("create a directory");
    let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
    for contents in [String::new(), pidlock_tests::stale_record()] {
        for (lock, keep) in [(true, false), (true, true), (false, false), (false, true)] {
            fs::write(&other, &contents).expect("write the file");
            fs::set_permissions(&other, Permissions::from_mode(0o666)).expect("set the mode");
            fs::hard_link(&other, &path).expect("create a link");
            let before = picture(&other);
            let file = PidFile::at(&path).mode(0o600).lock(lock).keep(keep);
            let guard = file.acquire().expect("acquire the file");
            assert_ne!(picture(&path).0, before.0, "the file is replaced");
            assert_eq!(text(&path), format!("{}\n", guard.pid()));
            guard.close().expect("release the file");
            assert_eq!(picture(&other), before);
            assert_eq!(text(&other), contents);
            let _ = fs::remove_file(&path);
        }
    }
}

/// The mode bit that marks a pidfile has no meaning on other types of file.
#[test]
fn lock_mark_on_a_file_that_is_not_regular_has_no_effect() {
    let dir = tempfile::tempdir().expect("create a directory");
    let at = |name: &str| dir.path().join(name);
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).expect("create a FIFO");
    let _socket = UnixListener::bind(at("socket")).expect("create a socket");
    for (name, words) in [("fifo", "it is a FIFO"), ("socket", "it is a socket")] {
        fs::set_permissions(at(name), Permissions::from_mode(0o1644)).expect("set the mode");
        assert_untrusted_and_untouched(&at(name), words);
    }
}

#[test]
fn stale_file_of_another_user_is_replaced() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    let other = pidlock_tests::ORDINARY_UID;
    for mode in [0o1777, 0o777, 0o775, 0o1755, 0o755] {
        let dir = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).expect("set the mode");
        let path = dir.path().join("app.pid");
        for lock in [true, false] {
            for contents in [String::new(), pidlock_tests::stale_record()] {
                fs::write(&path, &contents).expect("write a stale file");
                chown(&path, Some(other), None).expect("change the owner");
                // While the file is open, its inode is not reused and a write into it is visible.
                let theirs = fs::File::open(&path).expect("open the file");
                let before = theirs.metadata().expect("inspect the file");
                let guard = PidFile::at(&path)
                    .lock(lock)
                    .acquire()
                    .expect("acquire the file");
                let ours = fs::metadata(&path).expect("inspect the file");
                assert_ne!(ours.ino(), before.ino(), "{mode:o}");
                assert_eq!((ours.uid(), ours.mode() & 0o777), (0, 0o644));
                assert_eq!(text(&path), format!("{}\n", guard.pid()));
                guard.close().expect("release the file");
                assert_eq!(
                    std::io::read_to_string(&theirs).expect("read the file"),
                    contents
                );
                let after = theirs.metadata().expect("inspect the file");
                let unchanged = |file: &fs::Metadata| (file.uid(), file.mode(), file.mtime_nsec());
                assert_eq!(unchanged(&after), unchanged(&before));
            }
        }
        // A start that requests that user as the owner does write into the file.
        fs::write(&path, pidlock_tests::stale_record()).expect("write a stale file");
        chown(&path, Some(other), None).expect("change the owner");
        let before = picture(&path);
        let guard = PidFile::at(&path)
            .uid(other)
            .acquire()
            .expect("acquire the file");
        assert_eq!(picture(&path).0, before.0, "the file is not replaced");
        guard.close().expect("release the file");
    }
}

/// In a sticky directory only root, the owner of the directory and the owner of a file can remove
/// it.
#[test]
fn stale_file_that_cannot_be_removed_is_reported_with_its_owner() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    let uid = rustix::process::Uid::from_raw(pidlock_tests::ORDINARY_UID);
    let dir = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).expect("set the mode");
    let path = dir.path().join("app.pid");
    for contents in [String::new(), pidlock_tests::stale_record()] {
        for mode in [0o644, 0o666] {
            fs::write(&path, &contents).expect("write a stale file");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set the mode");
            chown(&path, Some(12), None).expect("change the owner");
            let before = picture(&path);
            for lock in [true, false] {
                let file = PidFile::at(&path).lock(lock);
                // Changes the uids of this thread only.
                let start = thread::spawn(move || {
                    rustix::thread::set_thread_res_uid(uid, uid, uid).expect("set the uids");
                    file.acquire().expect_err("the file cannot be removed")
                });
                let error = start.join().expect("the thread does not panic");
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
            assert_eq!(
                fs::read_dir(dir.path())
                    .expect("read the directory")
                    .count(),
                1
            );
        }
    }
}

#[test]
fn invalid_record_is_refused_and_stays_unchanged() {
    let dir = tempfile::tempdir().expect("create a directory");
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
        fs::write(&path, contents).expect("write the file");
        let before = picture(&path);
        let file = PidFile::at(&path);
        for error in refusals(&file)
            .into_iter()
            .chain([file.status().expect_err("the record is invalid")])
        {
            assert!(
                matches!(error, PidFileError::Unreadable { .. }),
                "{contents:?}: {error}"
            );
            assert_says(&error, words);
            assert_says(&error, "does not contain a PID");
        }
        assert_eq!(picture(&path), before, "{contents:?}");
        assert_eq!(fs::read(&path).expect("read the file"), contents);
    }
}

#[test]
fn too_large_file_is_refused() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    fs::write(&path, "7".repeat(1 << 16)).expect("write the file");
    let file = fs::File::options()
        .write(true)
        .open(&path)
        .expect("open the file");
    // The rest is a hole, which takes no space on the disk.
    file.set_len(1 << 30).expect("set the length");
    let before = picture(&path);
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }
    assert_eq!(picture(&path), before);

    fs::write(&path, "").expect("empty the file");
    file.set_len(1 << 40).expect("set the length");
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }

    // Text after more than 4096 blanks is not ignored.
    fs::write(&path, [" ".repeat(5000), "text".into()].concat()).expect("write the document");
    for error in refusals(&PidFile::at(&path)) {
        assert_says(&error, "it is longer than 4096 bytes");
    }
}

#[test]
fn blank_or_stale_record_in_unusual_format_is_replaced() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let blank = ["\r\n", "\0\0\0\0", "", "\n\n"].map(str::to_owned);
    for contents in blank.into_iter().chain(odd_records(NONEXISTENT_PID)) {
        for lock in [true, false] {
            fs::write(&path, &contents).expect("write the file");
            let guard = PidFile::at(&path)
                .lock(lock)
                .acquire()
                .expect("acquire the file");
            assert_eq!(text(&path), format!("{}\n", guard.pid()), "{contents:?}");
            guard.close().expect("release the file");
        }
    }
}

/// Records in the formats of other programs and editors.
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

/// Starts a process that does not lock the file.
fn stranger() -> Program {
    Program::start(&mut Command::new("cat"))
}

#[test]
fn running_process_in_a_record_of_unusual_format_is_reported() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let stranger = stranger();
    for contents in odd_records(stranger.pid()) {
        fs::write(&path, &contents).expect("write the file");
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

/// PostgreSQL writes such files. The further lines are data of that program.
#[test]
fn record_with_further_lines_is_refused_and_stays_unchanged() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    let mut stranger = stranger();
    let contents = format!("{}\n/var/lib/db\n5432\n", stranger.pid());
    fs::write(&path, &contents).expect("write the file");
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
fn refusal_message_contains_no_control_characters() {
    let dir = tempfile::tempdir().expect("create a directory");
    let evil = "\u{1b}[31m\r\n\u{202e}\u{9b}x";
    fs::write(dir.path().join(format!("{evil}.pid")), "\u{1b}[2J").expect("write the file");
    for error in refusals(&PidFile::new(evil).dir(dir.path())) {
        let words = error.to_string();
        assert!(
            !words.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "{words:?}"
        );
    }
}
