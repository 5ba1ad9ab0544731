//! PID namespaces, as containers use them. The containers share a directory, but a PID means
//! nothing outside its namespace.

use std::thread;

use pidlock_core::{PidFile, PidFileError, Status};
use pidlock_tests::rerun_in_namespace::can_unshare;
use pidlock_tests::text;

use super::{assert_held, assert_refused, flags, holder_within};

const CONTAINER: [&str; 2] = ["--pid", "--mount-proc"];

#[test]
fn containers_and_their_host_exclude_each_other() {
    let flags = flags(&CONTAINER);
    if !can_unshare(&[&flags[..], &["--fork"]].concat()) {
        return;
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");

    let mut first = holder_within(&flags, &path, &[]);
    assert_held(&mut first);
    assert_eq!(text(&path), "1\n", "the PID in its own namespace");
    let error = PidFile::at(&path).acquire().expect_err("the file is held");
    // The PID is from the record, which the holder wrote in its own namespace.
    assert!(
        matches!(
            error,
            PidFileError::AlreadyLocked {
                pid: None | Some(1),
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        PidFile::at(&path).status(),
        Ok(Status::Locked { .. })
    ));
    // The refused start is PID 1 of its own container, which is the recorded PID. So the record
    // does not tell it which process holds the file.
    let unknown = "already locked by an unknown process";
    assert_refused(&mut holder_within(&flags, &path, &[]), unknown);
    let (_, said) = first.finish();
    assert_eq!(said, "closed\n");
    assert!(!path.exists());

    let guard = PidFile::at(&path).acquire().expect("acquire");
    assert_refused(&mut holder_within(&flags, &path, &[]), "already locked by");
    guard.close().expect("release");
}

#[test]
fn container_that_was_killed_and_restarted_takes_its_file_over() {
    let flags = flags(&CONTAINER);
    if !can_unshare(&[&flags[..], &["--fork"]].concat()) {
        return;
    }
    for arguments in [&[][..], &["--keep"], &["--no-lock"], &["--reentrant"]] {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        for _ in 0..3 {
            let mut container = holder_within(&flags, &path, arguments);
            assert_held(&mut container);
            assert_eq!(text(&path), "1\n");
            container.kill();
            // When `unshare` is killed, the kernel kills the holder, too. That takes a moment.
            while matches!(PidFile::at(&path).status(), Ok(Status::Locked { .. })) {
                thread::yield_now();
            }
            assert_eq!(text(&path), "1\n", "the killed holder leaves its record");
        }
        // On the host, PID 1 is another process, which is older than the file and so may have
        // written it.
        let error = PidFile::at(&path).acquire().expect_err("PID 1 is alive");
        assert!(
            matches!(error, PidFileError::AlreadyRunning { pid: 1, .. }),
            "{error}"
        );
        assert_held(&mut holder_within(&flags, &path, arguments));
    }
}
