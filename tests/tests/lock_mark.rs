//! The lock mark: the sticky bit on a file whose writer locks it. If the lock of a marked file is
//! free, the writer is gone. But another process can have written its PID into the file without
//! locking it, so a start is refused while such a process runs.

#![cfg(target_os = "linux")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pidlock_core::PidFile;
use pidlock_tests::{
    ORDINARY_UID, Program, assert_running, has_tool, is_root, rerun_in_namespace, run, said, skip,
    skip_for_this_user, stale_record, text,
};
use rustix::fs::{FlockOperation, flock};

const MARKED: u32 = 0o1644;
const UNMARKED: u32 = 0o644;

struct Pidfile {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Pidfile {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        let path = dir.path().join("app.pid");
        Self { _dir: dir, path }
    }

    /// A file as after a crash of its holder.
    fn stale() -> Self {
        let file = Self::new();
        fs::write(&file.path, stale_record()).expect("write a stale file");
        set_mode(&file.path, MARKED);
        file
    }

    fn holder(&self, arguments: &[&str]) -> Program {
        let mut holder = holder(&self.path, arguments);
        holder.expect(&format!("held {}", self.path.display()));
        holder
    }
}

fn holder(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    Program::start(command.arg("--at").arg(path).args(arguments))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set the mode");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file exists").mode() & 0o7777
}

fn set_written(path: &Path, time: SystemTime) {
    let file = File::options()
        .write(true)
        .open(path)
        .expect("open the file");
    file.set_modified(time).expect("set the time");
}

fn assert_starts(path: &Path) {
    let guard = PidFile::at(path).acquire();
    let guard = guard.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(text(path), format!("{}\n", std::process::id()));
    guard.close().expect("release");
}

// Files that get the mark

#[test]
fn file_held_with_a_lock_is_sticky_and_file_held_without_is_not() {
    let file = Pidfile::new();
    let at = PidFile::at(&file.path);

    let guard = at.acquire().expect("acquire");
    assert_eq!(mode(&file.path), MARKED);
    guard.close().expect("release");

    let reservation = at.clone().mode(0o600).reserve().expect("reserve");
    assert_eq!(mode(&file.path), 0o1600);
    let guard = reservation.commit().expect("commit");
    assert_eq!(mode(&file.path), 0o1600);
    guard.close().expect("release");

    let guard = at.clone().keep(true).acquire().expect("acquire");
    guard.close().expect("release");
    assert_eq!(mode(&file.path), MARKED, "the kept, empty file");
    fs::remove_file(&file.path).expect("remove the file");

    let guard = at.clone().lock(false).acquire().expect("acquire");
    assert_eq!(mode(&file.path), UNMARKED);
    guard.close().expect("release");
}

#[test]
fn stale_file_without_the_mark_gets_it() {
    let file = Pidfile::stale();
    set_mode(&file.path, 0o600);
    let guard = PidFile::at(&file.path).acquire().expect("acquire");
    assert_eq!(mode(&file.path), MARKED);
    guard.close().expect("release");
}

// Starts that the mark allows

/// The flags with which `unshare` creates a PID namespace. An ordinary user needs a user namespace
/// as well, and is root in it.
fn own_pids() -> Vec<&'static str> {
    let user: &[&str] = match is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    [user, &["--pid", "--fork", "--mount-proc"]].concat()
}

#[test]
fn start_is_not_refused_for_a_pid_reused_within_two_seconds_of_a_crash() {
    let Some(place) = rerun_in_namespace::inside() else {
        if rerun_in_namespace::can_unshare(&own_pids()) {
            let test = "start_is_not_refused_for_a_pid_reused_within_two_seconds_of_a_crash";
            rerun_in_namespace::within(test, &own_pids(), ":");
        }
        return;
    };
    let path = place.join("app.pid");
    let set_next = |pid: u32| {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("choose a PID");
    };
    for (age, arguments) in [(200, &[][..]), (1500, &[]), (1500, &["--keep"])] {
        let (stranger, before) = loop {
            let mut killed = holder(&path, arguments);
            killed.expect(&format!("held {}", path.display()));
            killed.kill();
            assert_eq!(mode(&path), MARKED);
            let before = SystemTime::now();
            set_next(killed.pid());
            let stranger = Program::start(&mut Command::new("cat"));
            assert_eq!(stranger.pid(), killed.pid());
            // The process must have started less than two seconds after the times set below.
            if before.elapsed().is_ok_and(|time| time.as_millis() < 300) {
                break (stranger, before);
            }
        };
        let written = before - Duration::from_millis(age);
        set_mode(&path, UNMARKED);
        set_written(&path, written);
        assert_running(&path, stranger.pid());
        set_mode(&path, MARKED);
        if age < 500 {
            set_written(&path, in_whole_seconds(written));
            assert_running(&path, stranger.pid());
        }
        set_written(&path, written);
        assert_starts(&path);
        let _ = fs::remove_file(&path);
    }
}

/// The time as a file system with a resolution of one second stores it.
fn in_whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.expect("after 1970").as_secs())
}

/// Starts a holder as an ordinary user. Returns its message if it is refused.
fn start_as_ordinary_user(path: &Path) -> Result<Program, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.uid(ORDINARY_UID).gid(ORDINARY_UID);
    let mut holder = Program::start(command.arg("--at").arg(path));
    let line = holder.line();
    match line.strip_prefix("refused: ") {
        Some(message) => Err(message.to_owned()),
        None => Ok(holder),
    }
}

#[test]
fn start_is_not_refused_for_a_process_that_a_hidden_proc_does_not_show() {
    let Some(place) = rerun_in_namespace::inside() else {
        return match is_root() {
            true => rerun_in_namespace::with_mounts(
                "start_is_not_refused_for_a_process_that_a_hidden_proc_does_not_show",
                "chmod 755 \"$1\" \"$(dirname \"$1\")\"",
            ),
            false => skip_for_this_user("only root can hide /proc from another user"),
        };
    };
    chown(&place, Some(ORDINARY_UID), None).expect("set the owner");
    let path = place.join("app.pid");
    let stranger = Program::start(&mut Command::new("cat"));
    // A file as after a crash. A process of root has the recorded PID.
    let prepare = |mode| {
        fs::write(&path, format!("{}\n", stranger.pid())).expect("write the file");
        chown(&path, Some(ORDINARY_UID), None).expect("set the owner");
        set_mode(&path, mode);
    };
    let assert_refused = || {
        let message = start_as_ordinary_user(&path).expect_err("the process may hold it");
        let words = format!("process {} is running", stranger.pid());
        assert!(message.contains(&words), "{message}");
    };

    prepare(MARKED);
    assert_refused();
    for mount in [
        &["-t", "proc", "-o", "hidepid=2", "proc", "/proc"][..],
        &["-t", "tmpfs", "none", "/proc"],
    ] {
        let output = run(Command::new("mount").args(mount));
        assert!(output.status.success(), "{}", said(&output));
        prepare(UNMARKED);
        assert_refused();
        prepare(MARKED);
        let mut holder = start_as_ordinary_user(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(holder.finish().1, "closed\n");
    }
}

#[test]
fn start_over_a_file_from_the_future_is_refused_only_without_the_mark() {
    let file = Pidfile::new();
    let stranger = Program::start(&mut Command::new("cat"));
    fs::write(&file.path, format!("{}\n", stranger.pid())).expect("write the file");
    // As if the clock had been set back after the file was written.
    set_written(&file.path, SystemTime::now() + Duration::from_secs(600));
    set_mode(&file.path, UNMARKED);
    assert_running(&file.path, stranger.pid());
    set_mode(&file.path, MARKED);
    assert_starts(&file.path);
}

// Starts that are refused in spite of the mark, because the recorded process runs

#[test]
fn start_is_refused_while_a_shell_that_wrote_its_pid_into_a_marked_file_runs() {
    let file = Pidfile::stale();
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ > \"$1\"; echo written; exec sleep 60", "-"]);
    let mut shell = Program::start(command.arg(&file.path));
    shell.expect("written");
    assert_eq!(mode(&file.path), MARKED, "the mark stays");
    assert_running(&file.path, shell.pid());
    shell.kill();
    assert_starts(&file.path);
}

#[test]
fn start_is_refused_while_a_daemon_that_start_stop_daemon_recorded_runs() {
    if !has_tool("start-stop-daemon") {
        return skip("there is no start-stop-daemon");
    }
    let file = Pidfile::stale();
    let sleep = "/bin/sleep";
    let mut command = Command::new("start-stop-daemon");
    command.args(["--start", "--make-pidfile", "--background", "--pidfile"]);
    command.arg(&file.path);
    let output = run(command.args(["--exec", sleep, "--", "60"]));
    assert!(output.status.success(), "{}", said(&output));
    let daemon = Daemon(wait_for_record(&file.path));
    assert_eq!(mode(&file.path), MARKED, "the mark stays");
    assert_running(&file.path, daemon.0);
}

/// The PID of a process that is killed on drop.
struct Daemon(u32);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = run(Command::new("kill").args(["-9", &self.0.to_string()]));
    }
}

/// Waits until another program overwrites the stale record with its PID, and returns the PID.
fn wait_for_record(path: &Path) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let text = text(path);
        if text.ends_with('\n') && text != stale_record() {
            return text.trim().parse().expect("a PID");
        }
        assert!(Instant::now() < deadline, "{text:?}");
        thread::yield_now();
    }
}

#[test]
fn start_is_refused_while_a_holder_that_closed_its_descriptors_runs() {
    let file = Pidfile::new();
    let mut holder = file.holder(&["--then", "close"]);
    holder.expect("closed all");
    assert_running(&file.path, holder.pid());
    holder.kill();
    assert_starts(&file.path);
}

#[test]
fn start_is_refused_while_a_program_that_the_holder_executed_runs() {
    let file = Pidfile::new();
    let mut holder = file.holder(&["--then", "exec"]);
    let name = PathBuf::from(format!("/proc/{}/comm", holder.pid()));
    while text(&name) != "sleep\n" {
        thread::yield_now();
    }
    // Exec sets the name a moment before it closes the descriptors of the previous program.
    let lock = File::open(&file.path).expect("open the file");
    flock(&lock, FlockOperation::LockExclusive).expect("wait for the lock");
    flock(&lock, FlockOperation::Unlock).expect("unlock the file");
    assert_eq!(mode(&file.path), MARKED);
    assert_running(&file.path, holder.pid());
    holder.kill();
    assert_starts(&file.path);
}

// Removal that the mark prevents

#[test]
fn systemd_tmpfiles_leaves_held_and_kept_files() {
    if !has_tool("systemd-tmpfiles") {
        return skip("there is no systemd-tmpfiles");
    }
    if !is_root() {
        return skip_for_this_user("only root can have a temporary directory cleaned");
    }
    let place = tempfile::tempdir().expect("create a directory");
    let dir = place.path().join("dir");
    fs::create_dir(&dir).expect("create a directory");
    set_mode(&dir, 0o1777);
    let config = place.path().join("clean.conf");
    let line = format!("q {} 1777 root root 1s\n", dir.display());
    fs::write(&config, line).expect("write the configuration");

    let (held, kept, other) = (
        dir.join("held.pid"),
        dir.join("kept.pid"),
        dir.join("other"),
    );
    let guard = PidFile::at(&kept).keep(true).acquire().expect("acquire");
    guard.close().expect("release");
    let mut holder = holder(&held, &[]);
    holder.expect(&format!("held {}", held.display()));
    let before = fs::metadata(&held).expect("the file exists").ino();
    // A file without the mark, newer than the others.
    fs::write(&other, "").expect("write a file");

    let deadline = Instant::now() + Duration::from_secs(30);
    while other.exists() {
        let output = run(Command::new("systemd-tmpfiles").arg("--clean").arg(&config));
        assert!(output.status.success(), "{}", said(&output));
        if Instant::now() > deadline {
            return skip(&format!("nothing is cleaned: {}", said(&output)));
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(kept.exists());
    let after = fs::metadata(&held).expect("the file exists").ino();
    assert_eq!(after, before);
    let error = PidFile::at(&held).acquire().expect_err("the file is held");
    assert_eq!(error.pid(), Some(holder.pid()), "{error}");
}
