//! Files and locks of others, put in the way.

use std::fs::{self, DirEntry, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use pidlock_tests::protected_files::{ProtectedFiles, VICTIMS};
use pidlock_tests::tally::Figures;
use pidlock_tests::{
    ORDINARY_UID, Program, has_tool, is_root, skip, skip_for_this_user, stale_record, text,
};

/// All ways to start. Each finds what `put` puts there, and is refused or acquires a file of its own.
fn start_in_every_way(path: &Path, put: impl Fn()) {
    let mut file = PidFile::at(path).mode(0o600);
    if is_root() {
        file = file.uid(12).gid(34);
    }
    let settings = [
        file.clone(),
        file.clone().keep(true),
        file.clone().lock(false),
    ];
    for file in settings {
        put();
        drop(file.acquire());
    }
    put();
    drop(file.reserve().and_then(pidlock_core::Reservation::commit));
    put();
    drop(file.reserve());
    put();
    // Any status will do.
    let _ = file.status();
}

#[test]
fn links_to_files_of_others_change_nothing_there() {
    let mut attacks = 0;
    for mode in [0o755, 0o777, 0o1777] {
        let victims = ProtectedFiles::new();
        for name in ["stale", "blank", "nothing", "directory"] {
            for hard in [true, false] {
                let victim = victims.path().join(name);
                if hard && !VICTIMS.contains(&name) {
                    continue;
                }
                let shared = tempfile::tempdir().expect("a directory");
                fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
                let path = shared.path().join("app.pid");
                let put = || {
                    let _ = fs::remove_file(&path);
                    let linked = match hard {
                        true => fs::hard_link(&victim, &path),
                        false => symlink(&victim, &path),
                    };
                    linked.expect("a link");
                };
                start_in_every_way(&path, put);
                attacks += 1;
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
                    "pidfile '{}' already locked by an unknown process",
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

/// It looks like a file that another user's start has created and is about to lock.
#[test]
fn blank_file_of_another_user_is_replaced_only_after_a_moment() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    for mode in [0o777, 0o1777, 0o770] {
        let shared = tempfile::tempdir().expect("a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("a mode");
        let path = shared.path().join("app.pid");
        for _ in 0..2 {
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o1644)).expect("a mode");
            chown(&path, Some(ORDINARY_UID), None).expect("another owner");
            let theirs = File::open(&path).expect("their file");
            let begin = Instant::now();
            let guard = PidFile::at(&path).acquire().expect("a start");
            assert!(begin.elapsed() >= Duration::from_millis(50), "{mode:o}");
            assert_eq!(fs::metadata(&path).expect("our file").uid(), 0);
            assert_eq!(text(&path), format!("{}\n", guard.pid()));
            drop(guard);
            let left = theirs.metadata().expect("their file");
            assert_eq!((left.uid(), left.mode() & 0o7777), (ORDINARY_UID, 0o1644));
            assert_eq!(left.len(), 0);
        }
    }
}

/// A daemon that acts as one of its users for a while, and then as itself.
#[cfg(target_os = "linux")]
#[test]
fn owner_of_the_file_follows_the_current_uid_after_setuid() {
    use rustix::process::Uid;
    use rustix::thread::{
        capabilities, set_capabilities, set_keep_capabilities, set_thread_res_uid,
    };

    // Not the overflow uid of a user namespace.
    const USER: u32 = 4242;

    if !is_root() {
        return skip_for_this_user("only root can act as another user");
    }
    // Of this thread alone, which does nothing else.
    let set = |[real, effective, saved]: [u32; 3]| {
        let [real, effective, saved] = [real, effective, saved].map(Uid::from_raw);
        set_thread_res_uid(real, effective, saved).expect("it may");
    };
    let shared = tempfile::tempdir().expect("a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("a mode");
    let path = shared.path().join("app.pid");
    let start_as = |uid| {
        let guard = PidFile::at(&path).acquire().expect("a start");
        assert_eq!(fs::metadata(&path).expect("the file").uid(), uid);
        assert_eq!(text(&path), format!("{}\n", guard.pid()));
        guard.close().expect("an end");
        assert!(!path.exists());
    };
    let start_as_user = || (0..3).for_each(|_| start_as(USER));
    let start_as_root = || {
        for contents in ["", &stale_record()] {
            fs::write(&path, contents).expect("a file");
            chown(&path, Some(USER), None).expect("the user's");
            let theirs = File::open(&path).expect("the user's file");
            start_as(0);
            assert_eq!(io::read_to_string(&theirs).expect("text"), contents);
            assert_eq!(theirs.metadata().expect("the user's file").uid(), USER);
        }
    };
    thread::scope(|scope| {
        let with_a_saved_uid = scope.spawn(|| {
            for _ in 0..2 {
                set([0, USER, 0]);
                start_as_user();
                set([0, 0, 0]);
                start_as_root();
            }
        });
        with_a_saved_uid.join().expect("it ends");
        let with_capabilities = scope.spawn(|| {
            set_keep_capabilities(true).expect("a wish");
            set([USER, USER, USER]);
            start_as_user();
            let mut sets = capabilities(None).expect("its capabilities");
            sets.effective = sets.permitted;
            set_capabilities(None, sets).expect("they are permitted");
            set([0, 0, 0]);
            start_as_root();
        });
        with_capabilities.join().expect("it ends");
        // As a set-user-ID program that is not root's.
        const CALLER: u32 = 4343;
        let theirs = shared.path().join("theirs.pid");
        fs::write(&theirs, "").expect("a file");
        fs::set_permissions(&theirs, Permissions::from_mode(0o666)).expect("a mode");
        chown(&theirs, Some(USER), None).expect("the user's");
        let file = PidFile::at(&theirs);
        let with_two_uids = scope.spawn(move || {
            set([CALLER, USER, CALLER]);
            start_as_user();
            set([CALLER; 3]);
            file.acquire().expect_err("not theirs")
        });
        let error = with_two_uids.join().expect("it ends").to_string();
        let words = format!("as uid {CALLER}: it belongs to uid {USER} and no process holds it");
        assert!(error.contains(&words), "{error}");
        assert!(error.contains("remove it, or choose"), "{error}");
        assert_eq!(text(&theirs), "");
        assert_eq!(fs::metadata(&theirs).expect("their file").uid(), USER);
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
        let shared = tempfile::tempdir().expect("a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o777)).expect("a mode");
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

/// As on FAT and SMB, which keep neither owner nor mode: neither the file that a start has created
/// nor one that a start left is in the way.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn accepts_own_file_where_owner_and_mode_are_lost() {
    use nix::libc;
    use pidlock_tests::ptrace::{Stepper, Stop};

    if !is_root() {
        return skip_for_this_user("only root can give files away");
    }
    for left_over in [None, Some(String::new()), Some(stale_record())] {
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
        if let Some(contents) = &left_over {
            fs::write(&path, contents).expect("a file");
            give_new_ones_away();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        let mut program = Stepper::start(command.arg("close").arg(&path));
        loop {
            match program.step() {
                Stop::After(call) if call.is(libc::SYS_openat) => give_new_ones_away(),
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        assert_eq!(program.line(), "in", "left over: {left_over:?}");
        let left = fs::read_dir(shared.path()).expect("it is there").count();
        assert_eq!(left, 0, "left over: {left_over:?}");
    }
}

/// To the descriptor, the victim has one name then, and to the path it is there.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn hard_link_that_is_removed_while_links_are_counted_changes_nothing() {
    use nix::libc;
    use pidlock_tests::ptrace::{Stepper, Stop};

    for name in VICTIMS {
        let victims = ProtectedFiles::new();
        // On the victims' file system, and gone with them.
        let path = victims.path().join("app.pid");
        let victim = victims.path().join(name);
        let link = || fs::hard_link(&victim, &path).expect("a link");
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        let mut program = Stepper::start(command.arg("close").arg(&path));
        link();
        let (mut is_locked, mut is_counted) = (false, false);
        loop {
            let is_stat = |call: pidlock_tests::ptrace::Call| {
                call.is(libc::SYS_fstat)
                    || call.is(libc::SYS_newfstatat)
                    || call.is(libc::SYS_statx)
            };
            match program.step() {
                Stop::After(call) if call.is(libc::SYS_flock) => is_locked = true,
                Stop::Before(call) if is_locked && !is_counted && is_stat(call) => {
                    fs::remove_file(&path).expect("the link");
                }
                Stop::After(call) if is_locked && !is_counted && is_stat(call) => {
                    is_counted = true;
                    link();
                }
                Stop::Ended(_) => break,
                _ => {}
            }
        }
        assert_eq!(program.line(), "in", "{name}");
        assert!(is_counted, "{name}");
        assert_eq!(victims.harmed(), 0, "{name}");
    }
}
