//! A user who can remove a stale file can take it over, whatever user owns it.

mod mounts;
mod refusals;
mod users;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{ORDINARY_UID, Program, is_root, skip_for_this_user, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

const ROOT: User = User { uid: 0, gid: 0 };

/// Two members of one group.
const A: User = User {
    uid: ORDINARY_UID,
    gid: 60_001,
};
const B: User = User {
    uid: 60_002,
    gid: 60_001,
};

/// Returns `true` if programs can be started as another user. Otherwise reports a skipped test.
fn can_switch_user() -> bool {
    if !is_root() {
        skip_for_this_user("only root can start programs as another user");
    }
    is_root()
}

/// A directory that all users can reach.
struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new(owner: User, mode: u32) -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set the mode");
        let path = dir.path().join("place");
        fs::create_dir(&path).expect("create a directory");
        chown(&path, Some(owner.uid), Some(owner.gid)).expect("set the owner");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set the mode");
        Self { _dir: dir, path }
    }

    fn pidfile(&self) -> PathBuf {
        self.path.join("app.pid")
    }
}

fn holder(user: User, path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.arg("--at").arg(path).args(arguments);
    if is_root() {
        command.uid(user.uid).gid(user.gid);
    }
    Program::start(&mut command)
}

/// Starts a holder and waits until it holds the file.
fn start(user: User, path: &Path, arguments: &[&str]) -> Program {
    let mut holder = holder(user, path, arguments);
    holder.expect(&format!("held {}", path.display()));
    assert_eq!(text(path), format!("{}\n", holder.pid()));
    holder
}

/// Starts a holder that must be refused. Returns the message and the kind of its error.
fn refusal(user: User, path: &Path, arguments: &[&str]) -> (String, String) {
    let mut program = holder(user, path, &[arguments, &["--kind"]].concat());
    let mut part = |name: &str| {
        let line = program.line();
        let part = line.strip_prefix(name).map(str::to_owned);
        part.unwrap_or_else(|| panic!("{user:?}: {line}"))
    };
    (part("refused: "), part("kind: "))
}

fn assert_refused_by(holder: &Program, user: User, path: &Path, arguments: &[&str]) {
    let message = format!(
        "pidfile '{}' already locked by PID {}",
        path.display(),
        holder.pid()
    );
    let before = observe(path);
    let refusal = refusal(user, path, arguments);
    assert_eq!(refusal, (message, "WouldBlock".to_owned()));
    assert_eq!(observe(path), before, "a refused start changes nothing");
}

/// Contents; inode, link count and mode; owner and group; modification time.
type Observed = (String, [u64; 3], [u32; 2], [i64; 2]);

fn observe(path: &Path) -> Observed {
    let stat = fs::metadata(path).expect("the file exists");
    (
        text(path),
        [stat.ino(), stat.nlink(), stat.mode().into()],
        [stat.uid(), stat.gid()],
        [stat.mtime(), stat.mtime_nsec()],
    )
}

/// Asserts that each of the two users can take over the file after the other user's holder was
/// killed, and is refused while the other user's holder lives.
fn assert_each_takes_over(path: &Path, users: [User; 2], mode: u32) {
    let octal = format!("{mode:o}");
    for keep in [&[][..], &["--keep"]] {
        let arguments = [&["--mode", &octal], keep].concat();
        for [first, second] in [users, [users[1], users[0]]] {
            let mut killed = start(first, path, &arguments);
            assert_refused_by(&killed, second, path, &arguments);
            killed.kill();
            let mut next = start(second, path, &arguments);
            let stat = fs::metadata(path).expect("the file exists");
            assert_eq!(stat.uid(), second.uid, "the file belongs to its new holder");
            assert_eq!(stat.mode() & 0o777, mode);
            assert_refused_by(&next, first, path, &arguments);
            let (_, rest) = next.finish();
            assert_eq!(rest, "closed\n");
            assert_eq!(path.exists(), !keep.is_empty());
            assert_eq!(text(path), "");
        }
    }
    let _ = fs::remove_file(path);
}
