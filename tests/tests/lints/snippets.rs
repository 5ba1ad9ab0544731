//! Puts bodies in which a lint fires into functions of every shape.

use std::ops::RangeInclusive;

const SNIPPETS: &str = include_str!("snippets.txt");

/// The items that the functions use.
const HEAD: &str = "\
#![allow(dead_code, reason = \"not every shape uses every item\")]
use pidlock_core::PidFileError;
pub type R<T> = Result<T, PidFileError>;
#[derive(Debug)]
pub struct Owner { pub number: u8 }
fn call(number: u8) -> R<u8> { Ok(number) }
";

/// The beginnings of function signatures, grouped by the enclosing item.
const SHAPES: [(&str, &[&str]); 4] = [
    (
        "",
        &[
            "pub fn NAME(",
            "pub async fn NAME(",
            "pub unsafe fn NAME(",
            "pub fn NAME<T: Clone>(_t: &T, ",
        ],
    ),
    (
        "impl Owner",
        &[
            "pub fn NAME(&self, ",
            "pub fn NAME(&mut self, ",
            "pub fn NAME(self, ",
            "pub fn NAME(self: Box<Self>, ",
            "pub fn NAME(self: std::rc::Rc<Self>, ",
            "pub fn NAME(self: std::pin::Pin<Box<Self>>, ",
            "pub async fn NAME(&self, ",
            "pub async fn NAME(self, ",
            "pub async fn NAME(self: Box<Self>, ",
        ],
    ),
    (
        "pub trait Methods: Sized",
        &["fn NAME(&self, ", "fn NAME(self, ", "fn NAME("],
    ),
    (
        "impl Implemented for Owner",
        &["fn NAME(&self, ", "fn NAME(self, ", "fn NAME("],
    ),
];

struct Snippet {
    /// The lint that fires in the body.
    lint: &'static str,
    params: &'static str,
    body: Vec<&'static str>,
}

fn snippets() -> Vec<Snippet> {
    SNIPPETS
        .split("\n== ")
        .skip(1)
        .map(|section| {
            let mut lines = section.lines();
            let head = lines.next().unwrap_or_default();
            let (lint, params) = head.split_once(": ").unwrap_or((head, ""));
            Snippet {
                lint,
                params,
                body: lines.filter(|line| !line.is_empty()).collect(),
            }
        })
        .collect()
}

/// A lint, and the line ranges of the functions in which it fires.
pub(crate) type Expected = (&'static str, Vec<RangeInclusive<usize>>);

/// Returns the source, and the lints that fire in it.
pub(crate) fn source() -> (String, Vec<Expected>) {
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    let snippets = snippets();
    let mut expected: Vec<Expected> = snippets
        .iter()
        .map(|snippet| (snippet.lint, Vec::new()))
        .collect();
    let mut required = Vec::new();
    for (place, shapes) in SHAPES {
        if !place.is_empty() {
            lines.push(format!("{place} {{"));
        }
        for (n, shape) in shapes.iter().enumerate() {
            for (m, snippet) in snippets.iter().enumerate() {
                let name = format!("f{n}_{m}");
                let signature = shape.replace("NAME", &name);
                lines.push("#[cfg_attr(guarded, pidlock_core::pidfile)]".into());
                let first = lines.len();
                lines.push(format!("{signature}{}) -> R<u8> {{", snippet.params));
                lines.extend(snippet.body.iter().map(|line| format!("    {line}")));
                lines.push("}".into());
                expected[m].1.push(first..=lines.len());
                if place.starts_with("impl Implemented") {
                    required.push((signature, snippet.params));
                }
            }
        }
        if !place.is_empty() {
            lines.push("}".into());
        }
    }
    lines.push("pub trait Implemented: Sized {".into());
    for (signature, params) in required {
        // Without a body, a parameter cannot have a pattern such as `mut x`, so keep only its type.
        let params: Vec<String> = params
            .split("; ")
            .filter(|param| !param.is_empty())
            .map(|param| param.split_once(": ").map_or(param, |(_, ty)| ty).into())
            .map(|ty: String| format!("_: {ty}"))
            .collect();
        lines.push(format!("{signature}{}) -> R<u8>;", params.join(", ")));
    }
    lines.push("}\n".into());
    (lines.join("\n"), expected)
}
