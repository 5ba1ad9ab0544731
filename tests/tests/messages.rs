//! Each error message of the crate and of the attribute is a heading on a page of the guide, and
//! each heading there is a message.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Sentences in `pidlock-core/src` that are not part of an error message.
const OTHER_SENTENCES: &[&str] = &[
    // A message of the compiler, on a system where pidlock does not run.
    "pidlock-core runs on Linux, Android, macOS, FreeBSD, NetBSD, OpenBSD and Windows; to add a system, \
     see CONTRIBUTING.md",
    "only the type of this call is used",
    // `Display` of `Status`.
    "not running: there is no pidfile",
    "not running: the pidfile is empty",
    "not running: the pidfile is stale (PID {pid})",
    "running: this process holds the pidfile",
    "process {pid} is running but does not hold the lock",
    "running as PID {pid}",
    "running: an unknown process holds the pidfile",
    // A user in a message.
    "this user",
    "an unknown user",
    // Reasons in an event.
    "another process has this PID",
    "no process has this PID",
    // Values that the attribute suggests.
    "|refusal| eprintln!(\"{refusal}\")",
];

/// Headings that are messages of the compiler itself.
const OTHER_HEADINGS: &[&str] = &["cannot find value `__pls`, or it does not live long enough"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files of a folder, without unit tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read a folder of sources") {
        let path = entry.expect("read an entry").path();
        let name = path.file_stem().unwrap_or_default().to_owned();
        if name == "tests" || name == "properties" {
            continue;
        }
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Collects the sentences in string literals. A word that says what was done to a pidfile, as in
/// `.during("open", path)`, becomes "cannot open pidfile".
fn sentences(tokens: TokenStream, found: &mut Vec<String>) {
    let mut before = String::new();
    let mut is_test = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) if before == "#" || before == "#!" => {
                let text = group.stream().to_string();
                is_test |= text.starts_with("cfg (test") || text.starts_with("cfg (all (test");
                if text.starts_with("error") || text.starts_with("diagnostic") {
                    sentences(group.stream(), found);
                }
            }
            TokenTree::Group(group) if is_test && group.delimiter() == Delimiter::Brace => {
                is_test = false;
            }
            // What a panic or an event says is not an error message.
            TokenTree::Group(_)
                if ["expect", "assert!", "unreachable!", "event!"].contains(&&*before) => {}
            TokenTree::Group(group) => {
                let verb = group.stream().into_iter().find_map(|token| text(&token));
                if let ("during" | "io" | "Io" | "directory_error", Some(verb)) = (&*before, verb) {
                    found.push(format!("cannot {verb} pidfile"));
                } else {
                    sentences(group.stream(), found);
                }
            }
            TokenTree::Literal(_) => {
                let sentence = text(&token).filter(|text| text.trim().contains(' '));
                found.extend(sentence.filter(|text| !OTHER_SENTENCES.contains(&&**text)));
            }
            _ => {}
        }
        match token {
            TokenTree::Punct(ref mark) if mark.as_char() == '!' => before.push('!'),
            _ => before = token.to_string(),
        }
    }
}

/// The value of a string literal.
fn text(token: &TokenTree) -> Option<String> {
    let literal = syn::parse_str::<syn::LitStr>(&token.to_string()).ok()?;
    Some(literal.value())
}

/// The parts of a format string between its placeholders.
fn parts(sentence: &str) -> Vec<String> {
    const OPEN: &str = "\u{1}";
    const CLOSE: &str = "\u{2}";
    let escaped = sentence.replace("{{", OPEN).replace("}}", CLOSE);
    let parts = escaped.split('{').enumerate().map(|(i, part)| match i {
        0 => part,
        _ => part.split_once('}').map_or(part, |(_, after)| after),
    });
    parts
        .map(|part| {
            part.replace(OPEN, "{")
                .replace(CLOSE, "}")
                .trim()
                .to_owned()
        })
        .filter(|part| part.contains(char::is_alphabetic))
        .collect()
}

fn headings(page: &str) -> Vec<String> {
    let page = read(&repository().join("pidlock-core/src/guide").join(page));
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    headings.map(|heading| heading.replace('\\', "")).collect()
}

/// Checks a page against the messages in these folders and files, without those in `other`.
fn check(page: &str, folders: &[&str], other: &str) {
    let mut files = Vec::new();
    for folder in folders {
        let path = repository().join(folder);
        match path.is_dir() {
            true => sources(&path, &mut files),
            false => files.push(path),
        }
    }
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| other.is_empty() || !file.ends_with(other))
    {
        sentences(read(file).parse().expect("parse a source file"), &mut found);
    }
    assert!(found.len() > 20, "{found:?}");
    let headings = headings(page);
    let parts_of = |sentence: &String| parts(sentence);
    let unlisted: Vec<String> = (found.iter().flat_map(parts_of))
        .filter(|part| !headings.iter().any(|heading| heading.contains(part)))
        .collect();
    assert!(
        unlisted.is_empty(),
        "{page} has no headings for messages with {unlisted:#?}"
    );
    for (place, heading) in headings.iter().enumerate() {
        assert!(
            !headings[..place].contains(heading),
            "{page} has two headings {heading:?}"
        );
        let is_part = |part: &String| part.contains(' ') && heading.contains(part.as_str());
        let is_message = found
            .iter()
            .any(|sentence| parts(sentence).iter().any(is_part));
        assert!(
            is_message || OTHER_HEADINGS.contains(&&**heading),
            "{page}: no message contains {heading:?}"
        );
    }
}

#[test]
fn error_messages_are_listed() {
    check("troubleshooting.md", &["pidlock-core/src"], "on_error.rs");
}

#[test]
fn messages_of_the_attribute_are_listed() {
    check(
        "attribute_errors.md",
        &["pidlock-macros/src", "pidlock-core/src/on_error.rs"],
        "",
    );
}
