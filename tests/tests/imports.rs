//! Each module of `pidlock-core` imports only from lower layers, and nothing through `lib.rs`. So
//! there are no import cycles, and the modules can be read from the bottom to the top.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of `pidlock-core/src`, from the top to the bottom. The modules of one layer do not
/// import each other. Add a new module above all modules that it imports.
const LAYERS: &[&[&str]] = &[
    &["lib"],
    &["__private", "guide"],
    &["pidfile"],
    &["hand_over", "holder", "reservation", "status"],
    &["wait"],
    &["guard"],
    &["watch"],
    &["protocol"],
    &["protocol/lockless"],
    &["protocol/acquire"],
    &["protocol/adopt", "protocol/contention", "protocol/open"],
    &["cleanup"],
    &["cleanup/handle"],
    &["cleanup/critical", "cleanup/exit", "cleanup/signal"],
    &["cleanup/process"],
    &["cleanup/table"],
    &["cleanup/slots"],
    &["cleanup/shutdown", "held"],
    &["liveness", "location", "on_error", "record", "settings"],
    &["alarm", "queue", "windows_names"],
    &["error"],
    &["sys"],
    &["sys/not_linux"],
    &["sys/unix", "sys/windows"],
    &["sys/unix/inherit", "sys/unix/pidfd"],
    &["sys/unix/kinfo", "sys/unix/proc"],
    &[
        "sys/unix/file",
        "sys/unix/process",
        "sys/unix/signal",
        "sys/unix/watch",
        "sys/windows/exit",
        "sys/windows/process",
    ],
    &["sys/unix/fork", "sys/unix/path", "sys/windows/file"],
    &["sys/windows/path"],
    &["sys/atomic_ref", "sys/types", "trace"],
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pidlock-core/src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read a folder of sources") {
        let path = entry.expect("read an entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {} // a page of the guide
        }
    }
}

/// The name of a file's module: `cleanup/mod.rs` is `cleanup`.
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

/// The modules in `code` that are named by a path with this prefix and are files.
fn named<'a>(code: &str, prefix: &str, folder: &str, all: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
        let path: Vec<&str> = rest[..end.unwrap_or(rest.len())].split("::").collect();
        // The longest prefix of the path that is a file.
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
    let layers: BTreeMap<&str, usize> = (LAYERS.iter().enumerate())
        .flat_map(|(layer, names)| names.iter().map(move |name| (*name, layer)))
        .collect();
    let all: Vec<&str> = layers.keys().copied().collect();
    let mut imports = 0;
    for path in &found {
        let (importer, code) = (module(path), code(path));
        let layer = layers.get(importer.as_str()).unwrap_or_else(|| {
            panic!("{importer} is not in LAYERS: add it above all modules that it imports")
        });
        let folder = importer
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut targets = named(&code, "crate::", "", &all);
        targets.extend(named(&code, "super::", &folder, &all));
        for target in targets.into_iter().filter(|target| *target != importer) {
            imports += 1;
            let below = layers[target];
            assert!(
                layer < &below,
                "{importer} imports {target}, which is not in a lower layer"
            );
        }
    }
    for name in all {
        assert!(
            found.iter().any(|path| module(path) == name),
            "{name} in LAYERS is not a file"
        );
    }
    assert!(imports > 60, "only {imports} imports found");
}
