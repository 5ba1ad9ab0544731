//! Puts `#[pidfile]` on every function of published crates, and compares errors, warnings and tests
//! with those of the untouched crates.
//!
//! ```sh
//! .ci/wild                    # four of the crates, without their documentation tests
//! .ci/wild --all              # all crates and tests
//! .ci/wild semver bb8         # these crates
//! .ci/wild --lints bb8        # without running tests
//! .ci/wild --restriction bb8  # with clippy's restriction lints, which are listed and do not fail
//! ```
//!
//! Exits with status 1 if something new appears that `accepted.txt` does not list.

mod accepted;
mod annotate;
mod copies;
mod measure;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use accepted::Accepted;
use annotate::Tally;
use copies::Fetched;

/// The crates of a run without arguments, which are quick to build.
const QUICK: &[&str] = &["bb8", "either", "httparse", "semver"];

struct Options {
    names: Vec<String>,
    /// Runs the tests, which takes longest.
    tests: bool,
    doc: bool,
    restriction: bool,
}

/// The workspaces of the copies.
struct Places {
    plain: PathBuf,
    annotated: PathBuf,
    target: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = copies::fetch(root)?;
    let options = parse(env::args().skip(1), &crates)?;
    let accepted = Accepted::parse(&fs::read_to_string(root.join("accepted.txt"))?)?;
    let work = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let places = Places {
        plain: work.join("plain"),
        annotated: work.join("annotated"),
        target: work.join("crates"),
    };
    // The versions of the dependencies, those of the tests included. To write it anew, remove it,
    // and copy Cargo.lock of a workspace here.
    let lock = root.join("crates.lock");
    copies::write_workspace(&places.plain, &crates, &lock, false)?;
    let tallies = copies::write_workspace(&places.annotated, &crates, &lock, true)?;

    let mut report = Report {
        accepted,
        is_ok: true,
        new_warnings: 0,
    };
    for fetched in crates
        .iter()
        .filter(|fetched| options.names.contains(&fetched.name))
    {
        let tally = &tallies[&fetched.name];
        println!("{} {}: {}", fetched.name, fetched.version, functions(tally));
        compare(fetched, &places, &options, &mut report)?;
    }
    println!("new warnings, accepted or not: {}", report.new_warnings);
    Ok(if report.is_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn parse(
    arguments: impl Iterator<Item = String>,
    crates: &[Fetched],
) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        names: Vec::new(),
        tests: true,
        doc: false,
        restriction: false,
    };
    for argument in arguments {
        match argument.as_str() {
            "--all" => options.names = crates.iter().map(|known| known.name.clone()).collect(),
            "--lints" => options.tests = false,
            "--restriction" => options.restriction = true,
            name if crates.iter().any(|known| known.name == name) => {
                options.names.push(argument);
            }
            other => return Err(format!("{other} is not a crate of Cargo.toml").into()),
        }
    }
    options.doc = !options.names.is_empty();
    if options.names.is_empty() {
        options.names = QUICK.iter().map(|&name| name.to_owned()).collect();
    }
    Ok(options)
}

/// Says how many functions have the attribute, and why the others do not.
fn functions(tally: &Tally) -> String {
    let reasons: Vec<_> = tally
        .skipped
        .iter()
        .map(|(reason, count)| format!("{reason}: {count}"))
        .collect();
    format!(
        "{} functions; skipped: {}",
        tally.annotated,
        reasons.join(", ")
    )
}

/// What an annotated crate does and the plain one does not.
struct Report {
    accepted: Accepted,
    is_ok: bool,
    new_warnings: usize,
}

impl Report {
    fn add(&mut self, package: &str, kind: &str, what: &str, text: &str) {
        if kind == "warning" {
            self.new_warnings += 1;
        }
        if let Some(reason) = self.accepted.reason(package, kind, what) {
            println!("  accepted {kind}: {what}: {reason}");
        } else {
            self.is_ok = false;
            println!("  NEW {kind}: {what}\n{text}");
        }
    }
}

/// Reports what is new with the attribute.
fn compare(
    fetched: &Fetched,
    places: &Places,
    options: &Options,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let name = &fetched.name;
    let lint = |place: &Path, restriction| measure::lint(place, name, &places.target, restriction);
    let [plain, annotated] = [lint(&places.plain, false)?, lint(&places.annotated, false)?];
    if !plain.errors.is_empty() {
        return Err(format!("{name} does not build without the attribute").into());
    }
    let new = more(&annotated.warnings, &plain.warnings);
    println!(
        "  {} errors; {} warnings, {} of them new, and {} fewer",
        annotated.errors.len(),
        annotated.warnings.len(),
        new.len(),
        more(&plain.warnings, &annotated.warnings).len(),
    );
    for what in annotated.errors.keys() {
        report.add(name, "error", what, &annotated.texts[what]);
    }
    for what in &new {
        report.add(name, "warning", what, &annotated.texts[what]);
    }
    if !annotated.errors.is_empty() {
        return Ok(());
    }
    if options.restriction {
        let [plain, annotated] = [lint(&places.plain, true)?, lint(&places.annotated, true)?];
        for what in more(&annotated.warnings, &plain.warnings) {
            if !new.contains(&what) {
                println!("  new with restriction: {what}\n{}", annotated.texts[&what]);
            }
        }
    }
    if options.tests {
        let skipped = report.accepted.skipped_tests(name);
        let test = |place: &Path, annotated| {
            measure::test(
                place,
                name,
                &places.target,
                options.doc,
                &skipped,
                annotated,
            )
        };
        let before = test(&places.plain, false)?;
        let after = test(&places.annotated, true)?;
        let changed = changed(&before, &after);
        println!("  {} tests, {} changed", before.len(), changed.len());
        for what in changed {
            report.add(name, "test", &what, "");
        }
    }
    Ok(())
}

/// Returns what `a` has more often than `b`.
fn more(a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>) -> Vec<String> {
    a.iter()
        .filter(|(what, count)| b.get(*what).is_none_or(|before| before < *count))
        .map(|(what, _)| what.clone())
        .collect()
}

/// Returns the tests whose result differs, or which ran once only.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let missing = "did not run".to_owned();
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let [before, after] = [before, after].map(|all| all.get(name).unwrap_or(&missing));
            format!("{name}: {before}, with the attribute {after}")
        })
        .collect()
}
