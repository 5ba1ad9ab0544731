//! Full file systems, read-only file systems, and immutable files.

use std::process::Command;

use pidlock_tests::{has_tool, is_root, run, said, skip, skip_for_this_user};

/// Runs a script that mounts file systems, and returns its output. `$1` is a directory to mount on,
/// `$2` is the path of `holder`. Returns `None` if mounting is not possible.
fn with_mounts(script: &str) -> Option<String> {
    if !has_tool("unshare") {
        skip("unshare is not installed");
        return None;
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.arg("--mount");
        if !is_root() {
            unshare.arg("--map-root-user");
        }
        unshare
    };
    let mount = format!("mount -t tmpfs none {}", dir.path().display());
    if !run(unshare().args(["sh", "-c", &mount])).status.success() {
        let why = "mounting is not permitted";
        if is_root() {
            skip(why);
        } else {
            skip_for_this_user(why);
        }
        return None;
    }
    let script = format!(
        "try() {{ \"$holder\" --at \"$@\" </dev/null; }}\ncd $1 || exit; holder=$2\n{script}"
    );
    let output = run(unshare()
        .args(["sh", "-c", &script, "-"])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_holder")));
    let words = said(&output);
    Some(words.replace(&*dir.path().to_string_lossy(), "DIR"))
}

fn check(script: &str, expected: &str) {
    if let Some(words) = with_mounts(script) {
        assert_eq!(words.trim(), expected.trim(), "{script}");
    }
}

#[test]
fn enospc_leaves_no_file() {
    check(
        "
        mount -t tmpfs -o size=4k none . && cd \"$PWD\" && head -c 4096 /dev/zero >fill
        try $PWD/app.pid
        try $PWD/app.pid --keep
        try $PWD/app.pid --no-lock
        ls -A
        rm fill
        try $PWD/app.pid
        ls -A
        ",
        "
refused: cannot write pidfile 'DIR/app.pid': No space left on device (os error 28)
refused: cannot write pidfile 'DIR/app.pid': No space left on device (os error 28)
refused: cannot write pidfile 'DIR/app.pid': No space left on device (os error 28)
fill
held DIR/app.pid
closed
",
    );
}

#[test]
fn stale_file_on_a_full_file_system_is_acquired() {
    check(
        "
        mount -t tmpfs -o size=8k none . && cd \"$PWD\" && echo 2147483647 >app.pid
        head -c 4096 /dev/zero >fill
        try $PWD/app.pid --keep
        ls -A
        try $PWD/app.pid
        ls -A
        ",
        "
held DIR/app.pid
closed
app.pid
fill
held DIR/app.pid
closed
fill
",
    );
}

#[test]
fn exhausted_inodes_are_reported_and_leave_no_file() {
    check(
        "
        mount -t tmpfs -o nr_inodes=2 none . && cd \"$PWD\" && : >fill
        try $PWD/app.pid
        try $PWD/app.pid --no-lock
        ls -A
        rm fill; echo 2147483647 >app.pid
        try $PWD/app.pid --no-lock
        cat app.pid
        try $PWD/app.pid
        ls -A
        ",
        "
refused: cannot create pidfile 'DIR/app.pid': No space left on device (os error 28)
refused: cannot create pidfile 'DIR/app.pid': No space left on device (os error 28)
fill
refused: cannot create pidfile 'DIR/app.pid': No space left on device (os error 28)
2147483647
held DIR/app.pid
closed
",
    );
}

/// A lock is visible through a read-only mount of the directory.
#[test]
fn start_through_a_read_only_mount_reports_the_holder() {
    let Some(words) = with_mounts(
        "
        mount -t tmpfs none . && cd \"$PWD\" && mkdir rw ro && mkfifo go
        mount --bind rw ro && mount -o remount,bind,ro ro
        : >said
        $holder --at $PWD/rw/app.pid <go >said & exec 3>go
        until grep -qs held said; do sleep 0.01; done
        try $PWD/ro/app.pid
        echo \"$(cat rw/app.pid) holds\"
        kill -9 $!; wait $! 2>/dev/null
        try $PWD/ro/app.pid
        test -s rw/app.pid && try $PWD/rw/app.pid
        ls -A rw
        try $PWD/ro/app.pid
        ",
    ) else {
        return;
    };
    let holder = words
        .lines()
        .find_map(|line| line.strip_suffix(" holds"))
        .expect("the script prints the PID of the holder");
    let lines: Vec<_> = words
        .lines()
        .filter(|line| !line.contains("Killed"))
        .collect();
    assert_eq!(
        lines,
        [
            &format!("refused: pidfile 'DIR/ro/app.pid' already locked by PID {holder}"),
            &format!("{holder} holds"),
            "refused: cannot replace stale pidfile 'DIR/ro/app.pid' as uid 0: it belongs to uid 0 and no process holds it; choose another directory with dir = \"...\": Read-only file system (os error 30)",
            "held DIR/rw/app.pid",
            "closed",
            "refused: pidfile directory 'DIR/ro' is on a read-only file system: choose another with dir = \"...\": Read-only file system (os error 30)",
        ]
    );
}

/// The attributes that chattr(1) sets restrict root, too.
#[test]
fn immutable_file_is_reported_and_stays_unchanged() {
    if !is_root() {
        return skip_for_this_user("only root can make a file immutable");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let script = "
        cd $1; holder=$2; try() { $holder --at $PWD/app.pid </dev/null; }
        trap 'chattr -ia . app.pid 2>/dev/null' EXIT
        for flag in i a; do
            echo 2147483647 >app.pid; chattr +$flag app.pid || { echo impossible; exit; }
            try; cat app.pid; chattr -$flag app.pid
        done
        rm app.pid; mkfifo go
        for what in . app.pid; do
            : >said
            $holder --at $PWD/app.pid <go >said & exec 3>go
            until grep -qs held said; do sleep 0.01; done
            chattr +i $what; exec 3>&-; wait $!; chattr -i $what
            grep closed said; try
        done
        ";
    let output = run(Command::new("sh")
        .args(["-c", script, "-"])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_holder")));
    let words = said(&output).replace(&*dir.path().to_string_lossy(), "DIR");
    if words.contains("impossible") {
        return skip_for_this_user(
            "the file system has no such attributes, or setting them is not permitted",
        );
    }
    let denied = "Operation not permitted (os error 1)";
    let refused = format!(
        "refused: cannot replace stale pidfile 'DIR/app.pid' as uid 0: it belongs to uid 0 and no \
         process holds it; remove it, or choose another directory with \
         dir = \"...\": {denied}"
    );
    let expected = [
        &refused,
        "2147483647",
        &refused,
        "2147483647",
        // The directory was immutable: the file stays, empty.
        "closed",
        "held DIR/app.pid",
        "closed",
        // The file was immutable.
        &format!("closed, but cannot remove pidfile 'DIR/app.pid': {denied}"),
        "held DIR/app.pid",
        "closed",
    ];
    assert_eq!(words.lines().collect::<Vec<_>>(), expected);
}
