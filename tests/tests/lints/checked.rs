//! A crate of its own, checked by clippy with and without the attribute.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{run, said, skip, skip_for_this_user};
use serde_json::Value;

/// One warning. Its text does not count: that may name the closure that the body is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fired {
    pub(crate) lint: String,
    pub(crate) line: usize,
}

impl Fired {
    pub(crate) fn name(&self) -> &str {
        self.lint.trim_start_matches("clippy::")
    }
}

/// The checks that can be made here.
#[derive(Clone)]
pub(crate) struct Checks {
    edition: &'static str,
    /// Every lint of the compiler's, asked for as a warning.
    lints: Vec<String>,
}

impl Checks {
    /// None where they cannot be made.
    pub(crate) fn possible() -> Option<Self> {
        let made = std::fs::create_dir_all(room()).and_then(|()| tempfile::tempfile_in(room()));
        if let Err(error) = made {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            skip_for_this_user("only who has built the tests can build more");
            return None;
        }
        if !run(cargo().args(["clippy", "--version"])).status.success() {
            skip("clippy is not installed");
            return None;
        }
        let help = run(Command::new("rustc").args(["-W", "help"]));
        let lints: Vec<String> = said(&help)
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| matches!(words[..], [_, "allow" | "warn" | "deny", ..]))
            .map(|words| words[0].replace('-', "_"))
            .collect();
        assert!(lints.len() > 100, "{lints:?}");
        Some(Self {
            edition: "2024",
            lints,
        })
    }

    pub(crate) fn edition(&self, edition: &'static str) -> Self {
        Self {
            edition,
            ..self.clone()
        }
    }

    /// What fires in the source; `#[cfg_attr(guarded, ..)]` in it is the attribute.
    pub(crate) fn fired(&self, what: &str, source: &str, guarded: bool) -> BTreeSet<Fired> {
        let package = room().join(format!("{what}-{}", self.edition));
        self.lay(&package, what, source);
        let mut command = cargo();
        command
            .args(["clippy", "--quiet", "--offline", "--message-format=json"])
            .arg("--manifest-path")
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(room().join("target"))
            .args(["--", "--cap-lints=warn", "--check-cfg=cfg(guarded)"])
            .args(["-Wclippy::all", "-Wclippy::pedantic", "-Wclippy::nursery"])
            .args(self.lints.iter().map(|lint| format!("-W{lint}")));
        if guarded {
            command.arg("--cfg=guarded");
        }
        let output = run(&mut command);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}{}",
            errors(&text),
            String::from_utf8_lossy(&output.stderr)
        );
        text.lines().filter_map(one).collect()
    }

    fn lay(&self, package: &Path, what: &str, source: &str) {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = format!(
            "[package]\n\
             name = \"{what}-{edition}\"\n\
             edition = \"{edition}\"\n\
             [dependencies]\n\
             pidlock-core = {{ path = {core:?} }}\n\
             [workspace]\n",
            edition = self.edition,
            core = workspace.join("pidlock-core"),
        );
        std::fs::create_dir_all(package.join("src")).expect("its folder");
        write(&package.join("Cargo.toml"), &manifest);
        write(&package.join("src/lib.rs"), source);
        std::fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock"))
            .expect("the versions of the workspace");
    }
}

/// Only what changes, for cargo goes by the time of the last write.
fn write(path: &Path, text: &str) {
    if !std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        std::fs::write(path, text).expect("its file is written");
    }
}

fn room() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("lints")
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env_remove("RUSTFLAGS");
    command
}

fn errors(lines: &str) -> String {
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("cargo speaks JSON"))
        .filter(|said| said["message"]["level"] == "error")
        .map(|said| said["message"]["rendered"].to_string())
        .collect()
}

/// The lint in a line of cargo's, if it is about one.
fn one(line: &str) -> Option<Fired> {
    let said: Value = serde_json::from_str(line).expect("cargo speaks JSON");
    let message = &said["message"];
    let lint = message["code"]["code"].as_str()?;
    let spans = message["spans"].as_array()?;
    // Of a lint that this compiler does not have yet, or any more.
    let mut place = spans.iter().find(|span| span["is_primary"] == true)?;
    // What is in a macro of std's is where that is called.
    while place["file_name"] != "src/lib.rs" {
        place = &place["expansion"]["span"];
    }
    Some(Fired {
        lint: lint.to_owned(),
        line: usize::try_from(place["line_start"].as_u64()?).ok()?,
    })
}
