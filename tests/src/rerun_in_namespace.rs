//! Runs a test a second time, in namespaces of its own. There the test can mount file systems,
//! choose PIDs or kill PID 1 without affecting other processes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{has_tool, is_root, skip, skip_for_this_user};

const INSIDE: &str = "PIDLOCK_TESTS_INSIDE";

/// Returns the directory that was created for the second run, or `None` in the first run.
#[must_use]
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs `script` and then the test in a new mount namespace. The script mounts file systems below
/// its `$1`.
///
/// # Panics
///
/// If the second run fails.
pub fn with_mounts(test: &str, script: &str) {
    within(test, &["--mount"], script);
}

/// Returns `true` if `unshare` works with these flags. Otherwise reports a skipped test.
#[must_use]
pub fn can_unshare(flags: &[&str]) -> bool {
    let works = Command::new("unshare")
        .args(flags)
        .arg("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        let why = format!("unshare {} fails", flags.join(" "));
        match is_root() {
            true => skip(&why),
            false => skip_for_this_user(&why),
        }
    }
    works
}

/// Runs `script` and then the test in the namespaces that `unshare` creates with these flags. The
/// script's `$1` is an empty directory.
///
/// # Panics
///
/// If the second run fails.
pub fn within(test: &str, flags: &[&str], script: &str) {
    if !has_tool("unshare") {
        return skip("unshare is not installed");
    }
    let dir = tempfile::tempdir().expect("create a temporary directory");
    let place = dir.path().join("place");
    std::fs::create_dir(&place).expect("create a directory");
    let exe = std::env::current_exe().expect("find the test program");
    let status = Command::new("unshare")
        .args(flags)
        .args(["sh", "-ec"])
        .arg(format!(
            "({script}) && cd / && exec \"$2\" --exact \"$3\" --nocapture"
        ))
        .arg("-")
        .args([place.as_os_str(), exe.as_os_str()])
        .arg(test)
        .env(INSIDE, &place)
        .stdin(Stdio::null())
        .status()
        .expect("run unshare");
    assert!(status.success(), "{test} in namespaces: {status}");
}
