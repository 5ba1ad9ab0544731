//! A test that runs once more, in namespaces of its own, where it may mount what it likes, set
//! numbers of processes, or kill the first of them, and nobody else notices.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{has_tool, is_root, skip, skip_for_this_user};

const INSIDE: &str = "PIDLOCK_TESTS_INSIDE";

/// In the second run: the directory that was made for it.
#[must_use]
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs a test again with mounts of its own, after a script that makes some below its `$1`.
///
/// # Panics
///
/// If the second run fails.
pub fn with_mounts(test: &str, script: &str) {
    within(test, &["--mount"], script);
}

/// Whether `unshare` can be run with these flags; says if not.
#[must_use]
pub fn can_unshare(flags: &[&str]) -> bool {
    let works = Command::new("unshare")
        .args(flags)
        .arg("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        let why = format!("no namespaces by unshare {}", flags.join(" "));
        match is_root() {
            true => skip(&why),
            false => skip_for_this_user(&why),
        }
    }
    works
}

/// Runs a test again within what these flags of `unshare` make, after a script, whose `$1` is a
/// directory for it.
///
/// # Panics
///
/// If the second run fails.
pub fn within(test: &str, flags: &[&str], script: &str) {
    if !has_tool("unshare") {
        return skip("there is no unshare");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("place");
    std::fs::create_dir(&place).expect("a directory");
    let exe = std::env::current_exe().expect("this program");
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
        .expect("unshare runs");
    assert!(status.success(), "{test}, inside: {status}");
}
