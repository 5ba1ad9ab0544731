//! What the compiler, clippy and the tests say about one copy of a crate.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::copies::copies_folder;

/// What was said, each with how often at most in one target of the crate.
pub(crate) struct Said {
    pub(crate) errors: BTreeMap<String, usize>,
    pub(crate) warnings: BTreeMap<String, usize>,
    /// The text of each message.
    pub(crate) texts: BTreeMap<String, String>,
}

/// Runs clippy, which also reports the errors and warnings of the compiler.
pub(crate) fn lint(
    workspace: &Path,
    package: &str,
    target: &Path,
    restriction: bool,
) -> Result<Said, Box<dyn Error>> {
    let mut command = cargo(workspace, package, target, "clippy");
    command.args(["--lib", "--bins", "--tests", "--keep-going"]);
    command.args(["--message-format=json", "--", "--cap-lints=warn"]);
    command.args(["-Wclippy::all", "-Wclippy::pedantic", "-Wclippy::nursery"]);
    if restriction {
        command.arg("-Wclippy::restriction");
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut said = Said {
        errors: BTreeMap::new(),
        warnings: BTreeMap::new(),
        texts: BTreeMap::new(),
    };
    let mut per_target: BTreeMap<(String, bool, String), usize> = BTreeMap::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line)?;
        let Some(message) = value.get("message").filter(|message| message.is_object()) else {
            continue;
        };
        let Some(key) = describe(message, package) else {
            continue;
        };
        let rendered = message["rendered"].as_str().unwrap_or_default();
        said.texts.insert(key.clone(), rendered.to_owned());
        let is_error = message["level"] == "error";
        let target = format!("{}{}", value["target"]["name"], value["profile"]["test"]);
        *per_target.entry((target, is_error, key)).or_default() += 1;
    }
    if text.is_empty() && !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    for ((_, is_error, key), count) in per_target {
        let counts = if is_error {
            &mut said.errors
        } else {
            &mut said.warnings
        };
        let most = counts.entry(key).or_default();
        *most = count.max(*most);
    }
    Ok(said)
}

/// Returns a message's code, file and line. Returns `None` for a message that has no place.
fn describe(message: &Value, package: &str) -> Option<String> {
    let spans = message["spans"].as_array()?;
    let mut place = spans.iter().find(|span| span["is_primary"] == true)?;
    let inside = format!("/{package}/");
    // For a span inside another crate's macro, use the place of the call.
    let file = loop {
        let file = place["file_name"].as_str()?;
        match file.split_once(&inside) {
            Some((_, file)) => break file,
            None if place["expansion"].is_null() => break file,
            None => place = &place["expansion"]["span"],
        }
    };
    let code = match message["code"]["code"].as_str() {
        Some(code) => code,
        None => message["message"].as_str()?,
    };
    Some(format!("{code} {file}:{}", place["line_start"]))
}

/// Runs the tests, and returns the result of each.
pub(crate) fn test(
    workspace: &Path,
    package: &str,
    target: &Path,
    doc: bool,
    skipped: &[&str],
    annotated: bool,
) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let log = workspace.join(format!("{package}.log"));
    let temporary = workspace.join(format!("{package}.tmp"));
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    fs::create_dir_all(&temporary)?;
    let file = File::create(&log)?;
    let mut command = cargo(workspace, package, target, "test");
    command.arg("--no-fail-fast");
    if !doc {
        command.args(["--lib", "--bins", "--tests"]);
    }
    command.arg("--");
    for test in skipped {
        command.args(["--skip", test]);
    }
    command
        .env("TMPDIR", &temporary)
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()?;
    let mut results = BTreeMap::new();
    let mut binary = String::new();
    let folder = format!("{}/{package}/", copies_folder(annotated));
    for line in String::from_utf8_lossy(&fs::read(&log)?).lines() {
        let line = line.trim().replace(&folder, "");
        if let Some(header) = line.strip_prefix("Running ") {
            binary = header.split(" (").next().unwrap_or(header).to_owned();
        } else if line.starts_with("Doc-tests ") {
            binary = line;
        } else if let Some((name, result)) = line
            .strip_prefix("test ")
            .and_then(|line| line.rsplit_once(" ... "))
        {
            results.insert(format!("{binary}: {name}"), result.to_owned());
        }
    }
    if results.is_empty() {
        return Err(format!("no test ran: see {}", log.display()).into());
    }
    if temporary.join("annotated").exists() != annotated {
        return Err(format!("annotated functions ran: {}", !annotated).into());
    }
    for entry in fs::read_dir(&temporary)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("wild-") {
            results.insert(format!("pidfile {name}"), "left behind".to_owned());
        }
    }
    Ok(results)
}

/// Returns a call of cargo that the caller's environment does not change.
fn cargo(workspace: &Path, package: &str, target: &Path, command: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace)
        .env_remove("RUSTFLAGS")
        .env_remove("RUST_BACKTRACE")
        .args([command, "--package", package, "--target-dir"])
        .arg(target);
    cargo
}
