//! File systems that assign every file to one user, and do not store modes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use pidlock_tests::{
    Program, has_tool, rerun_in_namespace, run, said, skip, skip_for_this_kernel, text,
};

use super::{A, B, ROOT, assert_refused_by, can_switch_user, refusal, start};

/// The mounts, and the processes that serve them, end with PID 1 of the namespace.
const NAMESPACE: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs a mount command. Reports a skip and returns `false` if it fails.
fn mount(command: &mut Command, point: &Path) -> bool {
    fs::create_dir(point).expect("create a directory");
    let output = run(command.arg(point));
    if !output.status.success() {
        let why = format!("{command:?}: {}", said(&output).trim());
        match why.contains("unknown filesystem type") {
            true => skip_for_this_kernel(&why),
            false => skip(&why),
        }
    }
    output.status.success()
}

/// Starts a holder under a umask that removes bits of the default mode, so that the mode has to be
/// set.
fn start_under_umask(path: &Path) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$@\"", "-"]);
    command.arg(env!("CARGO_BIN_EXE_holder"));
    let mut holder = Program::start(command.arg("--at").arg(path));
    holder.expect(&format!("held {}", path.display()));
    assert_eq!(text(path), format!("{}\n", holder.pid()));
    holder
}

/// Asserts that root can take over its own stale file, although the file system shows another
/// owner.
fn assert_root_starts_again(path: &Path) {
    for arguments in [&[][..], &["--keep"]] {
        for _ in 0..3 {
            let mut killed = start(ROOT, path, arguments);
            let shown = fs::metadata(path).expect("the file exists").uid();
            assert_eq!(shown, A.uid, "the file system shows another owner");
            assert_refused_by(&killed, ROOT, path, arguments);
            killed.kill();
        }
        start(ROOT, path, arguments).finish();
    }
    let _ = fs::remove_file(path);
}

/// Asserts that a user can take over a stale file of their own, although the file system shows
/// another owner, and sets no mode for this user.
fn assert_other_user_starts_again(path: &Path) {
    for arguments in [&[][..], &["--keep"]] {
        for _ in 0..3 {
            let mut killed = start(B, path, arguments);
            let shown = fs::metadata(path).expect("the file exists").uid();
            assert_eq!(shown, A.uid, "the file system shows another owner");
            assert_refused_by(&killed, B, path, arguments);
            killed.kill();
        }
        start(B, path, arguments).finish();
    }
    let _ = fs::remove_file(path);
}

/// Asserts that a start without a lock, which needs hard links, says what to do, and leaves nothing
/// that stops the next start.
fn assert_lockless_is_refused(path: &Path) {
    let (message, _) = refusal(ROOT, path, &["--no-lock"]);
    let words = "this file system has no hard links: use lock = true, or another directory";
    assert!(message.contains(words), "{message}");
    start(ROOT, path, &[]).finish();
}

/// Asserts that, on a file system that refuses to set a mode, a start that asks for a mode fails,
/// and other starts succeed.
fn assert_mode_is_not_kept(path: &Path) {
    let (message, kind) = refusal(ROOT, path, &["--mode", "666"]);
    assert!(
        ["PermissionDenied", "Unsupported"].contains(&&*kind),
        "{kind}: {message}"
    );
    assert!(message.contains("mode of pidfile"), "{message}");
    assert!(!path.exists(), "a failed start leaves no file");
    start_under_umask(path).kill();
    start_under_umask(path).finish();
    assert!(!path.exists());
}

#[test]
fn stale_file_on_fuse_that_gives_every_file_to_one_user_is_taken_over_by_root() {
    let Some(place) = rerun_in_namespace::inside() else {
        if can_switch_user() {
            if !has_tool("bindfs") || !Path::new("/dev/fuse").exists() {
                return skip("there is no bindfs, or no /dev/fuse");
            }
            let test = "mounts::stale_file_on_fuse_that_gives_every_file_to_one_user_is_taken_over_by_root";
            rerun_in_namespace::within(test, &NAMESPACE, ":");
        }
        return;
    };
    let source = place.join("source");
    fs::create_dir(&source).expect("create a directory");
    let bindfs = |name: &str, option: &str| {
        let mut command = Command::new("bindfs");
        command.arg(format!("--force-user={}", A.uid));
        command.args([option, "-o", "allow_other"]).arg(&source);
        let point = place.join(name);
        mount(&mut command, &point).then(|| point.join("app.pid"))
    };
    if let Some(path) = bindfs("plain", "--chmod-normal") {
        assert_root_starts_again(&path);
    }
    fs::set_permissions(&source, Permissions::from_mode(0o777)).expect("set the mode");
    for option in ["--chmod-deny", "--chmod-ignore"] {
        if let Some(path) = bindfs(option, option) {
            assert_root_starts_again(&path);
            if option == "--chmod-deny" {
                assert_mode_is_not_kept(&path);
            }
            assert_other_user_starts_again(&path);
            // The file is created with this mode, so the mode need not be set afterwards.
            start(ROOT, &path, &["--mode", "600"]).finish();
        }
    }
}

/// Mounts an empty file system of this type, which keeps neither owners nor modes.
fn on_fat(test: &str, mkfs: &str, fs_type: &str, options: &str, check: fn(&Path)) {
    let Some(place) = rerun_in_namespace::inside() else {
        if can_switch_user() {
            if !has_tool(mkfs) {
                return skip(&format!("there is no {mkfs}"));
            }
            rerun_in_namespace::within(test, &NAMESPACE, ":");
        }
        return;
    };
    let image = place.join("image");
    let file = fs::File::create(&image).expect("create an image");
    file.set_len(4 << 20).expect("set its size");
    let made = run(Command::new(mkfs).arg(&image));
    assert!(made.status.success(), "{}", said(&made));
    let options = format!("loop,uid={},gid={},umask=000{options}", A.uid, A.gid);
    let mut command = Command::new("mount");
    command.args(["-t", fs_type, "-o", &options]).arg(&image);
    let point = place.join("fat");
    if mount(&mut command, &point) {
        check(&point.join("app.pid"));
    }
}

#[test]
fn stale_file_on_fat_is_taken_over() {
    let test = "mounts::stale_file_on_fat_is_taken_over";
    on_fat(test, "mkfs.vfat", "vfat", "", |path| {
        assert_root_starts_again(path);
        assert_other_user_starts_again(path);
        assert_mode_is_not_kept(path);
        assert_lockless_is_refused(path);
    });
}

#[test]
fn stale_file_on_exfat_by_fuse_is_taken_over() {
    let test = "mounts::stale_file_on_exfat_by_fuse_is_taken_over";
    on_fat(test, "mkfs.exfat", "exfat-fuse", ",allow_other", |path| {
        assert_root_starts_again(path);
        assert_other_user_starts_again(path);
        assert_lockless_is_refused(path);
    });
}

#[test]
fn lockless_start_on_fuse_that_numbers_names_is_refused() {
    let Some(place) = rerun_in_namespace::inside() else {
        if can_switch_user() {
            if !has_tool("mergerfs") {
                return skip("there is no mergerfs");
            }
            let test = "mounts::lockless_start_on_fuse_that_numbers_names_is_refused";
            rerun_in_namespace::within(test, &NAMESPACE, ":");
        }
        return;
    };
    let branches = ["one", "two"].map(|name| place.join(name));
    branches
        .iter()
        .for_each(|branch| fs::create_dir(branch).expect("create a directory"));
    let mut command = Command::new("mergerfs");
    command.arg(
        branches
            .map(|branch| branch.display().to_string())
            .join(":"),
    );
    let point = place.join("merged");
    if mount(&mut command, &point) {
        assert_lockless_is_refused(&point.join("app.pid"));
    }
}
