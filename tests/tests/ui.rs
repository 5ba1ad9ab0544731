//! What the compiler says about a wrong use of the attribute, and that it takes a right one. Each
//! file of `ui/fail` shows one symptom, and the `.stderr` beside it what a reader gets to see. Those
//! of `ui/pass` are part of this program: they need no compiler where they are run.
//!
//! After a change of a message, read the new text, then have it written down:
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
#[path = "../ui/pass/runtime_above.rs"]
mod runtime_above;

/// The compiler that wrote the expectations: each has its own words and marks.
const PINNED: &str = "rustc 1.95.";

/// All that is ours in the files about bodies.
const ATTRIBUTE: &str = "#[pidlock_core::pidfile(\"my_app\")]";

/// An attribute that does nothing.
const NO_ATTRIBUTE: &str = "#[cfg(all())]";

fn tool(variable: &str, name: &str) -> Command {
    Command::new(env::var_os(variable).unwrap_or_else(|| OsString::from(name)))
}

/// Whether programs can be compiled here: tests that root has built may be run by somebody who has
/// neither a compiler nor the right to write where it does.
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
            "messages are those of {PINNED}x, not of {version}"
        ));
    }
    pinned
}

/// The sources about bodies, with their names.
fn bodies() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/fail");
    let entries = fs::read_dir(dir).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let is_one = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("body_") && name.ends_with(".rs"))
    };
    paths.filter(is_one).collect()
}

#[test]
fn what_the_compiler_says() {
    if can_compile() && is_pinned() {
        trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
        // One after the other: both build in the same place.
        bodies_without_the_attribute();
    }
}

/// Of a body, the compiler says with the attribute what it says without it, at the same places.
fn bodies_without_the_attribute() {
    // Not among the targets: in a path below the workspace, trybuild would not tell the lines.
    let dir = tempfile::tempdir().expect("a directory");
    let bodies = bodies();
    assert!(!bodies.is_empty());
    for file in bodies {
        let [text, said] = [&file, &file.with_extension("stderr")]
            .map(|file| fs::read_to_string(file).expect("it is text"));
        assert!(text.contains(ATTRIBUTE), "{}", file.display());
        let bare = dir.path().join(file.file_name().expect("it has a name"));
        let place = format!("{}/", dir.path().display());
        fs::write(
            bare.with_extension("stderr"),
            said.replace("ui/fail/", &place),
        )
        .and_then(|()| fs::write(bare, text.replace(ATTRIBUTE, NO_ATTRIBUTE)))
        .expect("it can be written");
    }
    trybuild::TestCases::new().compile_fail(dir.path().join("*.rs"));
}
