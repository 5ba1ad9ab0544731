//! The attribute on what nobody thought of: it never panics, always passes the function on, and
//! finds a mistake where there is one and only there.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::select;

use crate::expand::attribute;

const FUNCTION: &str = "fn keep_me(mut x: u8) -> Result<u8, E> { body_of_mine!(x) }";

fn tokens(text: &str) -> Option<TokenStream> {
    text.parse().ok()
}

/// Whether the text occurs among the tokens, in whatever group.
fn names(stream: TokenStream, name: &str) -> bool {
    stream.into_iter().any(|token| match token {
        TokenTree::Group(group) => names(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        _ => false,
    })
}

/// Every key with values that fit, and whether it takes none.
const RIGHT: &[(&str, &[&str], bool)] = &[
    (
        "name",
        &[
            "\"app\"",
            "NAME",
            "\"{x}-{{\"",
            "f(1, 2)",
            "concat!(\"a\", \"b\")",
        ],
        false,
    ),
    (
        "dir",
        &[
            "\"/run\"",
            "dir.join(\"a/b\")",
            "\"\"",
            "if a { b } else { c }",
        ],
        false,
    ),
    ("suffix", &["false", "a == b", "!x"], false),
    ("temp_dir", &["true", "x < y && z > y"], false),
    (
        "path",
        &["\"/run/a.pid\"", "PATH", "&*path", "\"{x}\""],
        false,
    ),
    ("mode", &["0o600", "MODE | 0o20"], false),
    ("uid", &["0", "uid()?"], false),
    ("gid", &["1 + 1", "{ let g = 1; g }"], false),
    ("lock", &["false", "A::<B, C>::D"], false),
    ("reentrant", &["true", "|| true"], true),
    ("keep", &["cfg!(test)", "matches!(a, B | C)"], true),
    ("on_signal", &["pidlock_core::OnSignal::Ignore"], false),
    ("at_exit", &["false"], false),
    (
        "on_error",
        &["pidlock_core::skip", "|e| drop(e)", "move |_| -> u8 { 1 }"],
        false,
    ),
    ("crate", &["my::core", "::pidlock_core", "crate"], false),
];

const PARTS_OF_A_PATH: &[&str] = &["name", "dir", "suffix", "temp_dir"];

/// What is wrong wherever it stands.
const WRONG: &[&str] = &[
    "",
    "7",
    "NAME",
    "nmae = 1",
    "chmod = 1",
    "name",
    "name = ",
    "dir",
    "mode",
    "mode(1)",
    "keep: true",
    "name = \"a/b\"",
    "name = \"..\"",
    "name = \"\"",
    "path = \"\"",
    "dir = \"\\0\"",
    "crate = \"a\"",
    "crate = 1 + 1",
    "mode = 0 0",
    "mode = = 1",
    "keep = ",
    "\"a\" \"b\"",
    "mode == 1",
    "b\"a\"",
    "name += \"a\"",
    "on_error",
    "r#name = \"a\"",
    "#[a] \"b\"",
    "let",
    "mode = ;",
    "(keep)",
];

#[derive(Debug, Clone)]
enum Argument {
    Positional,
    Key(usize, Option<usize>),
    Wrong(usize),
}

impl Argument {
    fn text(&self) -> String {
        match *self {
            Argument::Positional => "\"worker-{x}\"".into(),
            Argument::Key(key, None) => RIGHT[key].0.into(),
            Argument::Key(key, Some(value)) => {
                let (key, values, _) = RIGHT[key];
                format!("{key} = {}", values[value % values.len()])
            }
            Argument::Wrong(which) => WRONG[which].into(),
        }
    }
}

/// The rules, as the documentation has them.
fn is_right(arguments: &[Argument]) -> bool {
    let mut given = HashSet::new();
    arguments
        .iter()
        .enumerate()
        .all(|(n, argument)| match *argument {
            Argument::Positional => n == 0 && given.insert("name"),
            Argument::Key(key, value) => {
                let (key, _, is_switch) = RIGHT[key];
                given.insert(key) && (value.is_some() || is_switch)
            }
            Argument::Wrong(_) => false,
        })
        && !(given.contains("path") && PARTS_OF_A_PATH.iter().any(|part| given.contains(part)))
}

fn arguments() -> impl Strategy<Value = Vec<Argument>> {
    let key = (
        0..RIGHT.len(),
        prop_oneof![9 => any::<usize>().prop_map(Some), 1 => Just(None)],
    );
    let argument = prop_oneof![
        2 => Just(Argument::Positional),
        16 => key.prop_map(|(key, value)| Argument::Key(key, value)),
        1 => (0..WRONG.len()).prop_map(Argument::Wrong),
    ];
    prop::collection::vec(argument, 0..6)
}

/// Tokens of any kind, nested, with a liking for what the parser knows.
fn token_soup() -> impl Strategy<Value = TokenStream> {
    let words = [
        "name", "dir", "path", "mode", "keep", "on_error", "crate", "fn", "async", "const",
        "unsafe", "extern", "impl", "dyn", "self", "mut", "pub", "r#name", "'a", "_", "=", "==",
        "=>", "->", ",", ";", ":", "::", ".", "!", "?", "#", "|", "||", "&", "<", ">", "-",
        "\"a\"", "\"{x}\"", "b\"a\"", "r\"a\"", "c\"a\"", "7", "0o644", "1.5", "'c'", "true",
    ];
    let word = select(words.to_vec()).prop_map(|word| tokens(word).expect("a token"));
    let leaf = prop::collection::vec(word, 0..8).prop_map(|words| words.into_iter().collect());
    leaf.prop_recursive(3, 40, 4, |inner: BoxedStrategy<TokenStream>| {
        let delimiters = [
            Delimiter::Parenthesis,
            Delimiter::Brace,
            Delimiter::Bracket,
            Delimiter::None,
        ];
        let part = (select(delimiters.to_vec()), inner.clone(), inner);
        prop::collection::vec(part, 1..4).prop_map(|parts| {
            let mut stream = TokenStream::new();
            for (delimiter, inside, behind) in parts {
                stream.extend([TokenTree::Group(Group::new(delimiter, inside))]);
                stream.extend(behind);
            }
            stream
        })
    })
}

fn text_of(stream: &TokenStream) -> String {
    stream.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn mistakes_are_found_where_they_are_and_only_there(arguments in arguments(), comma: bool) {
        let mut text = arguments.iter().map(Argument::text).collect::<Vec<_>>().join(", ");
        if comma && !arguments.is_empty() {
            text.push(',');
        }
        // An empty one in the last place makes a comma at the end, which is right.
        let ends_empty = !comma && arguments.last().is_some_and(|last| last.text().is_empty());
        prop_assume!(!ends_empty && !text.is_empty());
        let Some(args) = tokens(&text) else { return Ok(()) };
        let written = attribute(args, tokens(FUNCTION).expect("a function"));
        prop_assert!(names(written.clone(), "body_of_mine"), "{}", text_of(&written));
        let found = names(written.clone(), "compile_error");
        prop_assert_eq!(!found, is_right(&arguments), "{}: {}", text, text_of(&written));
        if !found {
            syn::parse2::<syn::ItemFn>(written).expect("what is written is a function");
        }
    }

    #[test]
    fn any_arguments_leave_the_function(args in token_soup()) {
        let written = attribute(args, tokens(FUNCTION).expect("a function"));
        prop_assert!(names(written.clone(), "body_of_mine"), "{}", text_of(&written));
        if names(written.clone(), "compile_error") {
            let written = text_of(&written);
            prop_assert!(written.ends_with(&text_of(&tokens(FUNCTION).expect("a function"))), "{}", written);
        }
    }

    #[test]
    fn any_item_is_passed_on(args in token_soup(), item in token_soup(), body in token_soup()) {
        let written = attribute(args.clone(), item.clone());
        if names(written.clone(), "compile_error") {
            prop_assert!(text_of(&written).ends_with(&text_of(&item)), "{}", text_of(&written));
        }
        // A body is never looked into.
        let body = Group::new(Delimiter::Brace, body);
        let mut item: TokenStream = tokens("pub async fn f(&self, (a, _): (A, B)) -> impl T").expect("tokens");
        item.extend([TokenTree::Group(body.clone())]);
        let written = attribute(tokens("\"a\"").expect("tokens"), item);
        prop_assert!(!names(written.clone(), "compile_error") || names(body.stream(), "compile_error"));
        let inside = text_of(&body.stream());
        if !inside.starts_with("# !") {
            prop_assert!(text_of(&written).contains(&inside), "{}", text_of(&written));
        }
    }
}
