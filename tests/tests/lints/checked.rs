//! Runs clippy on a generated crate, with and without the attribute.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{run, said, skip, skip_for_this_user};
use serde_json::Value;

/// One warning. Its text is not compared, because with the attribute it can name the closure that
/// the attribute puts around the body.
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

/// The configuration of clippy.
#[derive(Clone)]
pub(crate) struct Checks {
    edition: &'static str,
    /// All lints of the compiler, enabled as warnings.
    lints: Vec<String>,
}

impl Checks {
    /// Returns `None` if clippy cannot run here.
    pub(crate) fn possible() -> Option<Self> {
        let made =
            std::fs::create_dir_all(work_dir()).and_then(|()| tempfile::tempfile_in(work_dir()));
        if let Err(error) = made {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            skip_for_this_user("only the user who built the tests can build more");
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

    /// Returns the warnings about `source`, with the attributes in `#[cfg_attr(guarded, ..)]` if
    /// `guarded`.
    pub(crate) fn fired(&self, what: &str, source: &str, guarded: bool) -> BTreeSet<Fired> {
        let package = work_dir().join(format!("{what}-{}", self.edition));
        self.write_package(&package, what, source);
        let mut command = cargo();
        command
            .args(["clippy", "--quiet", "--offline", "--message-format=json"])
            .arg("--manifest-path")
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(work_dir().join("target"))
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
        text.lines().filter_map(parse_warning).collect()
    }

    fn write_package(&self, package: &Path, what: &str, source: &str) {
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
        std::fs::create_dir_all(package.join("src")).expect("create the package's directory");
        write(&package.join("Cargo.toml"), &manifest);
        write(&package.join("src/lib.rs"), source);
        std::fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock"))
            .expect("copy the workspace's lock file");
    }
}

/// Writes the file only if its text changes, because cargo checks the modification time.
fn write(path: &Path, text: &str) {
    if !std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        std::fs::write(path, text).expect("write the file");
    }
}

fn work_dir() -> PathBuf {
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
        .map(|line| serde_json::from_str::<Value>(line).expect("cargo prints JSON"))
        .filter(|said| said["message"]["level"] == "error")
        .map(|said| said["message"]["rendered"].to_string())
        .collect()
}

/// Parses a line of cargo's output. Returns `None` if the line is not about a lint.
fn parse_warning(line: &str) -> Option<Fired> {
    let said: Value = serde_json::from_str(line).expect("cargo prints JSON");
    let message = &said["message"];
    let lint = message["code"]["code"].as_str()?;
    let spans = message["spans"].as_array()?;
    // A warning about a lint that this compiler does not know has no span.
    let mut place = spans.iter().find(|span| span["is_primary"] == true)?;
    // For a span inside a macro of std, use the place of the call.
    while place["file_name"] != "src/lib.rs" {
        place = &place["expansion"]["span"];
    }
    Some(Fired {
        lint: lint.to_owned(),
        line: usize::try_from(place["line_start"].as_u64()?).ok()?,
    })
}
