//! Files and locks of others, put in the way.

use std::fs::{self, DirEntry, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::protected_files::ProtectedFiles;
use pidlock_tests::tally::Figures;
use pidlock_tests::{
    ORDINARY_UID, Program, has_tool, is_root, skip, skip_for_this_user, stale_record, text,
};

/// All ways to start; each is refused, or gets in without touching what was in the way.
fn start_in_every_way(path: &Path) {
    let mut file = PidFile::at(path).mode(0o600);
    if is_root() {
        file = file.uid(12).gid(34);
    }
    for file in [
        file.clone(),
        file.clone().keep(true),
        file.clone().lock(false),
    ] {
        drop(file.acquire());
    }
    drop(file.reserve().and_then(pidlock_core::Reservation::commit));
    drop(file.reserve());
    // Whatever it shows.
    let _ = file.status();
}

#[test]
fn links_to_files_of_others_change_nothing_there() {
    let mut attacks = 0;
    for mode in [0o755, 0o777, 0o1777] {
        let victims = ProtectedFiles::new();
        for name in ["stale", "blank", "nothing", "directory"] {
            for hard in [true, false] {
                let shared = tempfile::tempdir().expect("a directory");
                fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
                let path = shared.path().join("app.pid");
                let victim = victims.path().join(name);
                let made = match hard {
                    true => fs::hard_link(&victim, &path),
                    false => symlink(&victim, &path),
                };
                // There are no hard links to nothing, nor to a directory.
                if made.is_ok() {
                    start_in_every_way(&path);
                    attacks += 1;
                }
                drop(shared);
                assert_eq!(victims.harmed(), 0, "{name} in {mode:o}, hard {hard}");
            }
        }
    }
    Figures::survived(attacks).record("links to files of others");
}

/// Whoever may read the file may lock it; then we do not start, and do not name a wrong process.
#[test]
fn a_lock_of_another_user_keeps_us_out_unless_he_may_not_read() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as somebody else");
    }
    if !has_tool("flock") {
        return skip("there is no flock");
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a mode");
    let path = dir.path().join("app.pid");
    for (mode, locked) in [(0o644, true), (0o600, false)] {
        fs::write(&path, stale_record()).expect("a stale file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        let mut flock = Command::new("flock");
        flock.arg(&path).args(["sh", "-c", "echo locked; exec cat"]);
        let mut other = Program::start(flock.uid(ORDINARY_UID).gid(ORDINARY_UID));
        assert_eq!(other.line() == "locked", locked, "{mode:o}");
        match PidFile::at(&path).mode(mode).acquire() {
            Ok(guard) => {
                assert!(!locked);
                guard.close().expect("an end");
            }
            Err(error) => {
                assert!(locked, "{error}");
                let words = format!(
                    "pidfile '{}' already locked by a process whose PID is not known",
                    path.display()
                );
                assert_eq!(error.to_string(), words);
                assert!(matches!(
                    error,
                    PidFileError::AlreadyLocked { pid: None, .. }
                ));
                assert_eq!(text(&path), stale_record());
            }
        }
    }
}

/// It looks as what a start of ours makes, but is another's: neither taken over nor removed, however
/// often we have started before.
#[test]
fn rejects_unfinished_file_of_another_user() {
    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    for mode in [0o777, 0o1777, 0o770] {
        let shared = tempfile::tempdir().expect("a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
        let path = shared.path().join("app.pid");
        for _ in 0..2 {
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o1644)).expect("a mode");
            chown(&path, Some(ORDINARY_UID), None).expect("another's");
            let error = PidFile::at(&path).acquire().expect_err("not ours");
            assert!(
                matches!(error, PidFileError::Untrusted { .. }),
                "{mode:o}: {error}"
            );
            let left = fs::metadata(&path).expect("there still");
            assert_eq!((left.uid(), left.mode() & 0o7777), (ORDINARY_UID, 0o1644));
            fs::remove_file(&path).expect("removed");
            drop(PidFile::at(&path).acquire().expect("free"));
        }
    }
}

/// A daemon that acts as one of its users for a while, and then as itself.
#[cfg(target_os = "linux")]
#[test]
fn trust_follows_current_uid_after_setuid() {
    use rustix::process::Uid;
    use rustix::thread::{
        capabilities, set_capabilities, set_keep_capabilities, set_thread_res_uid,
    };

    // Not the number that everybody else has in a user namespace.
    const USER: u32 = 4242;

    if !is_root() {
        return skip_for_this_user("only root can act as somebody else");
    }
    // All of them of this thread alone, which has nothing else to do.
    let set = |[real, effective, saved]: [u32; 3]| {
        let [real, effective, saved] = [real, effective, saved].map(Uid::from_raw);
        set_thread_res_uid(real, effective, saved).expect("it may");
    };
    let shared = tempfile::tempdir().expect("a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("a mode");
    let path = shared.path().join("app.pid");
    let start_as_user = || {
        for _ in 0..3 {
            let started = PidFile::at(&path).acquire();
            drop(started.expect("the user's own"));
        }
    };
    let refused_as_root = || {
        for text in ["", &stale_record()] {
            fs::write(&path, text).expect("a file");
            chown(&path, Some(USER), None).expect("the user's");
            let error = PidFile::at(&path)
                .acquire()
                .expect_err("the user's, not ours");
            assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
            fs::remove_file(&path).expect("removed");
        }
    };
    thread::scope(|scope| {
        let with_an_id_to_come_back_to = scope.spawn(|| {
            for _ in 0..2 {
                set([0, USER, 0]);
                start_as_user();
                set([0, 0, 0]);
                refused_as_root();
            }
        });
        with_an_id_to_come_back_to.join().expect("it ends");
        let with_the_right_to = scope.spawn(|| {
            set_keep_capabilities(true).expect("a wish");
            set([USER, USER, USER]);
            start_as_user();
            let mut sets = capabilities(None).expect("a look");
            sets.effective = sets.permitted;
            set_capabilities(None, sets).expect("they are permitted");
            set([0, 0, 0]);
            refused_as_root();
        });
        with_the_right_to.join().expect("it ends");
        // As a set-user-ID program that is no root's.
        const WHO_STARTED_IT: u32 = 4343;
        let theirs = shared.path().join("theirs.pid");
        fs::write(&theirs, "").expect("a file");
        fs::set_permissions(&theirs, Permissions::from_mode(0o666)).expect("a mode");
        chown(&theirs, Some(USER), None).expect("the user's");
        let with_two_ids = scope.spawn(move || {
            set([WHO_STARTED_IT, USER, WHO_STARTED_IT]);
            start_as_user();
            set([WHO_STARTED_IT; 3]);
            let error = PidFile::at(&theirs).acquire().expect_err("not theirs");
            assert!(matches!(error, PidFileError::Untrusted { .. }), "{error}");
        });
        with_two_ids.join().expect("it ends");
    });
}

/// As on NFS, where what root makes is nobody's, and on file systems that know no owners.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn accepts_own_file_under_root_squash() {
    use nix::unistd::{Uid, setfsuid};
    use pidlock_core::OnSignal;

    if !is_root() {
        return skip_for_this_user("only root can make another user's file");
    }
    for on_signal in [OnSignal::Auto, OnSignal::Off] {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = tempfile::tempdir().expect("a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o777)).expect("a mode");
        drop(PidFile::new("app").dir(dir.path()).acquire());
        let path = shared.path().join("app.pid");
        for _ in 0..3 {
            setfsuid(Uid::from_raw(ORDINARY_UID));
            let guard = PidFile::at(&path).on_signal(on_signal).acquire();
            let owner = fs::metadata(&path).map(|file| file.uid());
            let closed = guard.and_then(pidlock_core::PidGuard::close);
            setfsuid(Uid::from_raw(0));
            closed.expect("a start and an end");
            assert_eq!(owner.expect("a pidfile"), ORDINARY_UID);
            assert!(!path.exists());
        }
    }
}

/// As on FAT and SMB, which keep neither who made a file nor the bit by which we know our own: what a
/// start has made there must not be in its way, nor in the next one's. Where they are kept, as on most
/// NFS, the empty file of another user stays his.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn accepts_own_file_where_owner_and_mode_are_lost() {
    use nix::libc;
    use pidlock_tests::ptrace::{Stepper, Stop};

    if !is_root() {
        return skip_for_this_user("only root can give files away");
    }
    for (keeps, left_over) in [(false, false), (false, true), (true, true)] {
        let shared = tempfile::tempdir().expect("a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o777)).expect("a mode");
        let path = shared.path().join("app.pid");
        let give_new_ones_away = || {
            let is_new = |file: &DirEntry| file.metadata().expect("it is there").uid() == 0;
            let files = fs::read_dir(shared.path()).expect("it is there").flatten();
            for file in files.filter(is_new) {
                chown(file.path(), Some(ORDINARY_UID), None).expect("another owner");
                fs::set_permissions(file.path(), Permissions::from_mode(0o755)).expect("a mode");
            }
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        command.arg("close").arg(&path);
        let mut program = Stepper::start(&mut command);
        if left_over {
            fs::write(&path, "").expect("a file");
            give_new_ones_away();
        }
        loop {
            match program.step() {
                Stop::Before(call) if call.is(libc::SYS_openat) => {
                    // None of these file systems has files without names.
                    let nameless = u64::from(libc::O_TMPFILE.unsigned_abs());
                    if program.arguments()[2] & nameless == nameless {
                        program.refuse(libc::EOPNOTSUPP);
                    }
                }
                Stop::After(call) if call.is(libc::SYS_openat) && !keeps => give_new_ones_away(),
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        let taken = program.line();
        let is_refused = taken.starts_with("failed: ") && taken.contains("is not to be trusted");
        assert!(if keeps { is_refused } else { taken == "in" }, "{taken}");
        let left = fs::read_dir(shared.path()).expect("it is there").count();
        assert_eq!(left, usize::from(keeps), "left over: {left_over}");
    }
}
