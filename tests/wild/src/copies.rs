//! The crates from the registry, and their copies with and without the attribute.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::annotate::{self, Tally};

/// Folders whose sources no check compiles.
const NOT_COMPILED: &[&str] = &["benches", "examples", "fuzz"];

/// A crate from the registry.
pub(crate) struct Fetched {
    pub(crate) name: String,
    pub(crate) version: String,
    folder: PathBuf,
}

/// Downloads the crates that Cargo.toml lists, in the versions of Cargo.lock.
pub(crate) fn fetch(workspace: &Path) -> Result<Vec<Fetched>, Box<dyn Error>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked", "--quiet"])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    let own = packages()
        .find(|package| package["name"] == env!("CARGO_PKG_NAME"))
        .ok_or("cargo metadata does not list this package")?;
    let listed: Vec<(&str, &str)> = own["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|dependency| dependency["target"] == "cfg(any())")
        .filter_map(|found| Some((found["name"].as_str()?, found["req"].as_str()?)))
        .collect();
    let mut fetched = Vec::new();
    for package in packages() {
        let (Some(name), Some(version), Some(manifest)) = (
            package["name"].as_str(),
            package["version"].as_str(),
            package["manifest_path"].as_str(),
        ) else {
            continue;
        };
        if listed.contains(&(name, &format!("={version}"))) {
            fetched.push(Fetched {
                name: name.to_owned(),
                version: version.to_owned(),
                folder: PathBuf::from(manifest).with_file_name(""),
            });
        }
    }
    fetched.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fetched)
}

/// Writes a workspace with copies of the crates, and returns how many functions of each got the
/// attribute if `annotated`.
///
/// Both workspaces are members of nothing else and have the same dependencies, those of the
/// attribute included, in the versions of `lock`.
pub(crate) fn write_workspace(
    place: &Path,
    crates: &[Fetched],
    lock: &Path,
    annotated: bool,
) -> Result<BTreeMap<String, Tally>, Box<dyn Error>> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    let folder = copies_folder(annotated);
    let members: Vec<String> = crates
        .iter()
        .map(|fetched| format!("{folder}/{}", fetched.name))
        .collect();
    let manifest = format!("[workspace]\nresolver = \"2\"\nmembers = {members:?}\n");
    fs::write(place.join("Cargo.toml"), manifest)?;
    if lock.exists() {
        fs::copy(lock, place.join("Cargo.lock"))?;
    }
    let mut tallies = BTreeMap::new();
    for fetched in crates {
        let mut tally = Tally::default();
        let to = place.join(folder).join(&fetched.name);
        copy(&fetched.folder, &to, annotated.then_some(&mut tally))?;
        let manifest = fs::read_to_string(fetched.folder.join("Cargo.toml"))?;
        fs::write(to.join("Cargo.toml"), with_attribute(&manifest))?;
        tallies.insert(fetched.name.clone(), tally);
    }
    Ok(tallies)
}

/// Returns the folder of the copies in their workspace. Cargo knows a package by its path in the
/// workspace, so it would take copies under the same path for one package.
pub(crate) fn copies_folder(annotated: bool) -> &'static str {
    if annotated { "annotated" } else { "plain" }
}

fn copy(from: &Path, to: &Path, mut tally: Option<&mut Tally>) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            if !NOT_COMPILED.iter().any(|folder| name == *folder) {
                copy(&path, &target, tally.as_deref_mut())?;
            }
        } else if let (Some(tally), true) = (tally.as_deref_mut(), is_source(&path)) {
            let annotated = annotate::annotate(&fs::read_to_string(&path)?, tally)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            fs::write(target, annotated)?;
        } else if name != "Cargo.lock" {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

/// Returns `true` for sources that are compiled with the crate: a build script is a program of its
/// own, which does not have the crate's dependencies, and a test of compiler messages compiles the
/// files of its folder `ui`.
fn is_source(path: &Path) -> bool {
    let part = |part: &str| path.iter().any(|name| name == part);
    path.extension().is_some_and(|extension| extension == "rs")
        && !part("build.rs")
        && !part("build")
        && !part("ui")
}

/// Adds the dependencies of the attribute to a manifest, and removes its benchmarks, whose
/// dependencies take long to build, and its examples, which some packages list and do not contain.
fn with_attribute(manifest: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut keep = true;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            let removed = ["[[bench]]", "[[example]]", "[dev-dependencies.criterion"];
            keep = !removed.iter().any(|start| line.starts_with(start));
        }
        if keep {
            kept += line;
            kept += "\n";
        }
    }
    format!(
        "{kept}\n[dependencies.pidlock-core]\npath = {:?}\n[dependencies.wild-path]\npath = {:?}\n",
        root.join("../../pidlock-core"),
        root.join("path"),
    )
}
