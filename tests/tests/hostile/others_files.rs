//! Files and locks of other users at the path of the pidfile.

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

/// Starts in every way. Each start finds what `put` creates, and is refused or acquires a file of
/// its own.
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
    // The status does not matter.
    let _ = file.status();
}

#[test]
fn link_at_the_path_leaves_its_target_unchanged() {
    let mut attacks = 0;
    for mode in [0o755, 0o777, 0o1777] {
        let victims = ProtectedFiles::new();
        for name in ["stale", "blank", "nothing", "directory"] {
            for hard in [true, false] {
                let victim = victims.path().join(name);
                if hard && !VICTIMS.contains(&name) {
                    continue;
                }
                let shared = tempfile::tempdir().expect("create a directory");
                fs::set_permissions(shared.path(), Permissions::from_mode(mode))
                    .expect("set the mode");
                let path = shared.path().join("app.pid");
                let put = || {
                    let _ = fs::remove_file(&path);
                    let linked = match hard {
                        true => fs::hard_link(&victim, &path),
                        false => symlink(&victim, &path),
                    };
                    linked.expect("create a link");
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

/// A user who can read the file can lock it. The start is then refused, and the error names no PID.
#[test]
fn start_is_refused_for_another_users_lock_only_if_that_user_can_read_the_file() {
    if !is_root() {
        return skip_for_this_user("only root can start programs as another user");
    }
    if !has_tool("flock") {
        return skip("flock is not installed");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set the mode");
    let path = dir.path().join("app.pid");
    for (mode, locked) in [(0o644, true), (0o600, false)] {
        fs::write(&path, stale_record()).expect("write a stale file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set the mode");
        let mut flock = Command::new("flock");
        flock.arg(&path).args(["sh", "-c", "echo locked; exec cat"]);
        let mut other = Program::start(flock.uid(ORDINARY_UID).gid(ORDINARY_UID));
        assert_eq!(other.line() == "locked", locked, "{mode:o}");
        match PidFile::at(&path).mode(mode).acquire() {
            Ok(guard) => {
                assert!(!locked);
                guard.close().expect("release the file");
            }
            Err(error) => {
                assert!(locked, "{error}");
                let words = format!(
                    "pidfile '{}' already locked by an unknown process; according to /proc/locks, PID \
                     {} took the lock",
                    path.display(),
                    other.pid()
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

/// Another user's start may have created the blank file, and may be about to lock it.
#[test]
fn blank_file_of_another_user_is_replaced_only_after_a_delay() {
    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    for mode in [0o777, 0o1777, 0o770] {
        let shared = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(mode)).expect("set the mode");
        let path = shared.path().join("app.pid");
        for _ in 0..2 {
            fs::write(&path, "").expect("write the file");
            fs::set_permissions(&path, Permissions::from_mode(0o1644)).expect("set the mode");
            chown(&path, Some(ORDINARY_UID), None).expect("change the owner");
            let theirs = File::open(&path).expect("open the file");
            let begin = Instant::now();
            let guard = PidFile::at(&path).acquire().expect("acquire the file");
            assert!(begin.elapsed() >= Duration::from_millis(50), "{mode:o}");
            assert_eq!(fs::metadata(&path).expect("inspect the file").uid(), 0);
            assert_eq!(text(&path), format!("{}\n", guard.pid()));
            drop(guard);
            let left = theirs.metadata().expect("inspect the file");
            assert_eq!((left.uid(), left.mode() & 0o7777), (ORDINARY_UID, 0o1644));
            assert_eq!(left.len(), 0);
        }
    }
}

/// A daemon acts as another user for a while, and as root again afterwards.
#[cfg(target_os = "linux")]
#[test]
fn owner_of_the_file_follows_the_current_uid_after_setuid() {
    use rustix::process::Uid;
    use rustix::thread::{
        capabilities, set_capabilities, set_keep_capabilities, set_thread_res_uid,
    };

    // Differs from the overflow uid of user namespaces.
    const USER: u32 = 4242;

    if !is_root() {
        return skip_for_this_user("only root can act as another user");
    }
    // Changes the uids of the calling thread only.
    let set = |[real, effective, saved]: [u32; 3]| {
        let [real, effective, saved] = [real, effective, saved].map(Uid::from_raw);
        set_thread_res_uid(real, effective, saved).expect("set the uids");
    };
    let shared = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("set the mode");
    let path = shared.path().join("app.pid");
    let start_as = |uid| {
        let guard = PidFile::at(&path).acquire().expect("acquire the file");
        assert_eq!(fs::metadata(&path).expect("inspect the file").uid(), uid);
        assert_eq!(text(&path), format!("{}\n", guard.pid()));
        guard.close().expect("release the file");
        assert!(!path.exists());
    };
    let start_as_user = || (0..3).for_each(|_| start_as(USER));
    let start_as_root = || {
        for contents in ["", &stale_record()] {
            fs::write(&path, contents).expect("write the file");
            chown(&path, Some(USER), None).expect("change the owner");
            let theirs = File::open(&path).expect("open the file");
            start_as(0);
            assert_eq!(
                io::read_to_string(&theirs).expect("read the file"),
                contents
            );
            assert_eq!(theirs.metadata().expect("inspect the file").uid(), USER);
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
        with_a_saved_uid.join().expect("the thread does not panic");
        let with_capabilities = scope.spawn(|| {
            set_keep_capabilities(true).expect("keep the capabilities");
            set([USER, USER, USER]);
            start_as_user();
            let mut sets = capabilities(None).expect("read the capabilities");
            sets.effective = sets.permitted;
            set_capabilities(None, sets).expect("set the capabilities");
            set([0, 0, 0]);
            start_as_root();
        });
        with_capabilities.join().expect("the thread does not panic");
        // Acts as a set-user-ID program of a user other than root.
        const CALLER: u32 = 4343;
        let theirs = shared.path().join("theirs.pid");
        fs::write(&theirs, "").expect("write the file");
        fs::set_permissions(&theirs, Permissions::from_mode(0o666)).expect("set the mode");
        chown(&theirs, Some(USER), None).expect("change the owner");
        let file = PidFile::at(&theirs);
        let with_two_uids = scope.spawn(move || {
            set([CALLER, USER, CALLER]);
            start_as_user();
            set([CALLER; 3]);
            file.acquire()
                .expect_err("the file belongs to another user")
        });
        let error = with_two_uids
            .join()
            .expect("the thread does not panic")
            .to_string();
        let words = format!("as uid {CALLER}: it belongs to uid {USER} and no process holds it");
        assert!(error.contains(&words), "{error}");
        assert!(error.contains("remove it, or choose"), "{error}");
        assert_eq!(text(&theirs), "");
        assert_eq!(fs::metadata(&theirs).expect("inspect the file").uid(), USER);
    });
}

/// On NFS with root squash, files that root creates belong to another user.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn own_file_under_root_squash_is_accepted() {
    use nix::unistd::{Uid, setfsuid};
    use pidlock_core::OnSignal;

    if !is_root() {
        return skip_for_this_user("only root can create another user's file");
    }
    for on_signal in [OnSignal::Auto, OnSignal::Off] {
        let shared = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o777)).expect("set the mode");
        let path = shared.path().join("app.pid");
        for _ in 0..3 {
            setfsuid(Uid::from_raw(ORDINARY_UID));
            let guard = PidFile::at(&path).on_signal(on_signal).acquire();
            let owner = fs::metadata(&path).map(|file| file.uid());
            let closed = guard.and_then(pidlock_core::PidGuard::close);
            setfsuid(Uid::from_raw(0));
            closed.expect("acquire and release the file");
            assert_eq!(owner.expect("inspect the file"), ORDINARY_UID);
            assert!(!path.exists());
        }
    }
}

/// FAT and SMB store neither owner nor mode. A start accepts the file that it has created there,
/// and a file that an earlier start left.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn own_file_with_lost_owner_and_mode_is_accepted() {
    use nix::libc;
    use pidlock_tests::ptrace::{Stepper, Stop};

    if !is_root() {
        return skip_for_this_user("only root can give files away");
    }
    for left_over in [None, Some(String::new()), Some(stale_record())] {
        let shared = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o777)).expect("set the mode");
        let path = shared.path().join("app.pid");
        let give_new_ones_away = || {
            let is_new = |file: &DirEntry| file.metadata().expect("inspect the file").uid() == 0;
            let files = fs::read_dir(shared.path())
                .expect("read the directory")
                .flatten();
            for file in files.filter(is_new) {
                chown(file.path(), Some(ORDINARY_UID), None).expect("change the owner");
                fs::set_permissions(file.path(), Permissions::from_mode(0o755))
                    .expect("set the mode");
            }
        };
        if let Some(contents) = &left_over {
            fs::write(&path, contents).expect("write the file");
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
        let left = fs::read_dir(shared.path())
            .expect("read the directory")
            .count();
        assert_eq!(left, 0, "left over: {left_over:?}");
    }
}

/// The attacker removes the link while the start counts the links of the locked file, so that the
/// count is 1. The attacker then creates the link again, so that the path refers to the locked file
/// when the start checks the path.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn hard_link_removed_while_links_are_counted_is_not_written() {
    use nix::libc;
    use pidlock_tests::ptrace::{Stepper, Stop};

    for name in VICTIMS {
        let victims = ProtectedFiles::new();
        // In the directory of the victims, because a hard link needs their file system.
        let path = victims.path().join("app.pid");
        let victim = victims.path().join(name);
        let link = || fs::hard_link(&victim, &path).expect("create a link");
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
                    fs::remove_file(&path).expect("remove the link");
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
