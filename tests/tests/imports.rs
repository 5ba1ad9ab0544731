//! The modules of the core import downwards only: no circle, no arrow up, nothing through `lib.rs`.
//! A reader can begin at the bottom and never meets a name that is not explained yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of `pidlock-core/src` from the top to the bottom. Those on one line do not import each
/// other. A new file gets the place where all that it imports is below it.
const HOUSE: &[&[&str]] = &[
    &["lib"],
    &["__private"],
    &["pidfile"],
    &["reservation", "status"],
    &["guard"],
    &["protocol"],
    &["protocol/lockless"],
    &["protocol/acquire"],
    &["protocol/contention", "protocol/open"],
    &["cleanup"],
    &["cleanup/handle"],
    &["cleanup/critical", "cleanup/exit", "cleanup/signal"],
    &["cleanup/process"],
    &["cleanup/table"],
    &["cleanup/slots"],
    &["cleanup/shutdown", "held"],
    &["liveness", "location", "on_error", "record", "settings"],
    &["error"],
    &["sys"],
    &["sys/unix", "sys/windows"],
    &[
        "sys/unix/file",
        "sys/unix/fork",
        "sys/unix/process",
        "sys/unix/signal",
        "sys/windows/process",
    ],
    &["sys/unix/path", "sys/windows/file"],
    &["sys/windows/path"],
    &["sys/atomic_ref", "sys/types"],
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pidlock-core/src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read a folder of sources") {
        let path = entry.expect("read an entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// `cleanup/mod.rs` is `cleanup`.
fn module(path: &Path) -> String {
    let path = path.strip_prefix(source()).expect("a file of the core");
    let name = path.with_extension("").display().to_string();
    name.strip_suffix("/mod")
        .map_or(name.clone(), str::to_owned)
}

/// The code of a file, without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("read a source file");
    let end = text
        .find("\n#[cfg(test)]\nmod ")
        .or(text.find("\n#[cfg(all(test"));
    let code = &text[..end.unwrap_or(text.len())];
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names by a path that begins with `prefix`, as far as they are files.
fn named<'a>(code: &str, prefix: &str, folder: &str, all: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
        let path: Vec<&str> = rest[..end.unwrap_or(rest.len())].split("::").collect();
        // The longest part of the path that is a file.
        let target = (1..=path.len()).rev().find_map(|len| {
            let name = [folder, &path[..len].join("/")].concat();
            all.iter().find(|file| **file == name)
        });
        match target {
            Some(target) => found.push(*target),
            None if prefix == "crate::" => {
                panic!("`crate::{}` goes through lib.rs", path.join("::"))
            }
            None => {}
        }
    }
    found
}

#[test]
fn modules_import_downwards_only() {
    let mut found = Vec::new();
    files(&source(), &mut found);
    let floors: BTreeMap<&str, usize> = (HOUSE.iter().enumerate())
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)))
        .collect();
    let all: Vec<&str> = floors.keys().copied().collect();
    let mut imports = 0;
    for path in &found {
        let (importer, code) = (module(path), code(path));
        let floor = floors.get(importer.as_str()).unwrap_or_else(|| {
            panic!("{importer} has no place in HOUSE: add it above all that it imports")
        });
        let folder = importer
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut targets = named(&code, "crate::", "", &all);
        targets.extend(named(&code, "super::", &folder, &all));
        for target in targets.into_iter().filter(|target| *target != importer) {
            imports += 1;
            let below = floors[target];
            assert!(
                floor < &below,
                "{importer} imports {target}, which is not below it"
            );
        }
    }
    for room in all {
        assert!(
            found.iter().any(|path| module(path) == room),
            "{room} in HOUSE is no file"
        );
    }
    assert!(imports > 60, "only {imports} imports found");
}
