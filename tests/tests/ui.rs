//! Checks the compiler's messages about wrong uses of the attribute, and that right uses compile.
//! Each file in `ui/fail` shows one mistake, and the `.stderr` file beside it the expected
//! messages. The files in `ui/pass` are modules of this test, so they need no compiler at run time.
//!
//! After changing a message, read the new text, then update the expectations:
//!
//! ```sh
//! TRYBUILD=overwrite cargo test -p pidlock-tests --test ui
//! ```

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{is_root, skip, skip_for_this_user};

#[path = "../ui/pass/error_types.rs"]
mod error_types;
#[path = "../ui/pass/exit_code.rs"]
mod exit_code;
#[path = "../ui/pass/futures.rs"]
mod futures;
#[path = "../ui/pass/panics_that_can_leave.rs"]
mod panics_that_can_leave;
#[path = "../ui/pass/patterns.rs"]
mod patterns;
#[path = "../ui/pass/runtime_above.rs"]
mod runtime_above;

/// The compiler that wrote the expectations. Other versions format messages differently.
const PINNED: &str = "rustc 1.95.";

/// The files whose expected messages are those without the attribute, too, start with one of these.
const UNCHANGED: &[&str] = &["body_", "parameters_"];

/// The only form of the attribute in these files.
const ATTRIBUTE: &str = "#[pidlock_core::pidfile(\"my_app\")]";

/// An attribute that does nothing.
const NO_ATTRIBUTE: &str = "#[cfg(all())]";

fn tool(variable: &str, name: &str) -> Command {
    Command::new(env::var_os(variable).unwrap_or_else(|| OsString::from(name)))
}

/// Returns `true` if programs can be compiled here. A user who runs tests that root has built can
/// lack a compiler or write access to the target directory.
fn can_compile() -> bool {
    let why = match tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")) {
        Err(error) => format!("{}: {error}", env!("CARGO_TARGET_TMPDIR")),
        Ok(_) => match tool("CARGO", "cargo").arg("--version").output() {
            Err(error) => format!("cargo: {error}"),
            Ok(output) if !output.status.success() => format!("cargo: {}", output.status),
            Ok(_) => return true,
        },
    };
    if is_root() {
        skip(&why);
    } else {
        skip_for_this_user(&why);
    }
    false
}

fn is_pinned() -> bool {
    let output = tool("RUSTC", "rustc").arg("--version").output();
    let version = output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let pinned = version.starts_with(PINNED);
    if !pinned {
        skip(&format!(
            "the expected messages are those of {PINNED}x, not of {version}"
        ));
    }
    pinned
}

/// Returns the paths of the files that start with one of [`UNCHANGED`].
fn unchanged() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/fail");
    let entries = fs::read_dir(dir).expect("list the directory");
    let paths = entries.map(|entry| entry.expect("read a directory entry").path());
    let is_one = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            UNCHANGED.iter().any(|start| name.starts_with(start)) && name.ends_with(".rs")
        })
    };
    paths.filter(is_one).collect()
}

#[test]
fn compiler_messages_match_the_expectations() {
    if can_compile() && is_pinned() {
        trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
        // In one test, because both runs build in the same directory.
        messages_without_the_attribute();
    }
}

/// Checks that the compiler reports the errors that the attribute does not concern at the same
/// places without it.
fn messages_without_the_attribute() {
    // Outside the workspace, because trybuild hides line numbers for paths inside it.
    let dir = tempfile::tempdir().expect("create a directory");
    let unchanged = unchanged();
    assert!(!unchanged.is_empty());
    for file in unchanged {
        let [text, said] = [&file, &file.with_extension("stderr")]
            .map(|file| fs::read_to_string(file).expect("read the file as text"));
        assert!(text.contains(ATTRIBUTE), "{}", file.display());
        let bare = dir.path().join(file.file_name().expect("a file name"));
        let place = format!("{}/", dir.path().display());
        fs::write(
            bare.with_extension("stderr"),
            said.replace("ui/fail/", &place),
        )
        .and_then(|()| fs::write(bare, text.replace(ATTRIBUTE, NO_ATTRIBUTE)))
        .expect("write the files");
    }
    trybuild::TestCases::new().compile_fail(dir.path().join("*.rs"));
}
