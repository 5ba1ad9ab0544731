//! Property tests: the attribute never panics, always emits the function, and reports exactly the
//! invalid inputs.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::select;

use crate::expand::attribute;

const FUNCTION: &str = "fn keep_me(mut x: u8) -> Result<u8, E> { body_of_mine!(x) }";

fn tokens(text: &str) -> Option<TokenStream> {
    text.parse().ok()
}

/// Returns `true` if the identifier occurs among the tokens or in any of their groups.
fn contains_ident(stream: TokenStream, name: &str) -> bool {
    stream.into_iter().any(|token| match token {
        TokenTree::Group(group) => contains_ident(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        _ => false,
    })
}

/// Every key, valid values for it, and whether it can stand without a value.
const VALID: &[(&str, &[&str], bool)] = &[
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
    ("mode", &["0o600", "0", "0x1a4u32", "MODE | 0o20"], false),
    ("uid", &["0", "uid()?"], false),
    ("gid", &["1 + 1", "{ let g = 1; g }"], false),
    ("lock", &["false", "A::<B, C>::D"], false),
    ("reentrant", &["true", "|| true"], true),
    ("keep", &["cfg!(test)", "matches!(a, B | C)"], true),
    ("on_signal", &["pidlock_core::OnSignal::Off"], false),
    ("at_exit", &["false"], false),
    ("timeout", &["None", "Duration::from_secs(x)"], false),
    ("wait", &["false"], true),
    ("on_wait", &["|refusal| log(refusal)", "tell"], false),
    (
        "on_error",
        &[
            "pidlock_core::on_error::skip",
            "|e| drop(e)",
            "move |_| -> u8 { 1 }",
        ],
        false,
    ),
    ("guard", &["lock", "_guard"], false),
    ("crate", &["my::core", "::pidlock_core", "crate"], false),
];

/// The keys that `path` cannot be combined with.
const PARTS_OF_A_PATH: &[&str] = &["name", "dir", "suffix", "temp_dir"];

/// Arguments that are invalid in any position.
const INVALID: &[&str] = &[
    "",
    "7",
    "NAME",
    "nmae = 1",
    "chmod = 1",
    "name",
    "name = ",
    "dir",
    "mode",
    "mode = 644",
    "mode = 6_44u32",
    "mode = 0o1000",
    "mode(1)",
    "mode => 0o644",
    "keep: true",
    "nmae => 1",
    "\"a-{}\"",
    "\"a-{}\", x",
    "name = \"{0}\", x.y, 7",
    "name = \"a/b\"",
    "name = \"..\"",
    "name = \"\"",
    "path = \"\"",
    "dir = \"\\0\"",
    "crate = \"a\"",
    "crate = 1 + 1",
    "guard = 7",
    "guard = a.b",
    "guard",
    "guard = x",
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

/// One generated argument.
#[derive(Debug, Clone)]
enum Argument {
    /// A name without its key.
    Positional,
    /// An index into [`VALID`], and one into the values of that key.
    Key(usize, Option<usize>),
    /// An index into [`INVALID`].
    Invalid(usize),
}

impl Argument {
    fn text(&self) -> String {
        match *self {
            Argument::Positional => "\"worker-{x}\"".into(),
            Argument::Key(key, None) => VALID[key].0.into(),
            Argument::Key(key, Some(value)) => {
                let (key, values, _) = VALID[key];
                format!("{key} = {}", values[value % values.len()])
            }
            Argument::Invalid(which) => INVALID[which].into(),
        }
    }
}

/// Returns `true` if the documented rules accept the arguments.
fn is_valid(arguments: &[Argument]) -> bool {
    let mut seen = HashSet::new();
    arguments
        .iter()
        .enumerate()
        .all(|(n, argument)| match *argument {
            Argument::Positional => n == 0 && seen.insert("name"),
            Argument::Key(key, value) => {
                let (key, _, is_switch) = VALID[key];
                seen.insert(key) && (value.is_some() || is_switch)
            }
            Argument::Invalid(_) => false,
        })
        && !(seen.contains("timeout") && seen.contains("wait"))
        && !(seen.contains("path") && PARTS_OF_A_PATH.iter().any(|part| seen.contains(part)))
}

fn arguments() -> impl Strategy<Value = Vec<Argument>> {
    let key = (
        0..VALID.len(),
        prop_oneof![9 => any::<usize>().prop_map(Some), 1 => Just(None)],
    );
    let argument = prop_oneof![
        2 => Just(Argument::Positional),
        16 => key.prop_map(|(key, value)| Argument::Key(key, value)),
        1 => (0..INVALID.len()).prop_map(Argument::Invalid),
    ];
    prop::collection::vec(argument, 0..6)
}

/// Nested tokens of all kinds, most of them known to the parser.
fn token_soup() -> impl Strategy<Value = TokenStream> {
    let words = [
        "name", "dir", "path", "mode", "keep", "on_error", "crate", "fn", "async", "const",
        "unsafe", "extern", "impl", "dyn", "self", "mut", "pub", "r#name", "'a", "_", "=", "==",
        "=>", "->", ",", ";", ":", "::", ".", "!", "?", "#", "|", "||", "&", "<", ">", "-",
        "\"a\"", "\"{x}\"", "b\"a\"", "r\"a\"", "c\"a\"", "7", "0o644", "1.5", "'c'", "true",
    ];
    let word = select(words.to_vec()).prop_map(|word| tokens(word).expect("lex token"));
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
            for (delimiter, inside, after) in parts {
                stream.extend([TokenTree::Group(Group::new(delimiter, inside))]);
                stream.extend(after);
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
    fn exactly_the_invalid_arguments_are_reported(arguments in arguments(), comma: bool) {
        let mut text = arguments.iter().map(Argument::text).collect::<Vec<_>>().join(", ");
        if comma && !arguments.is_empty() {
            text.push(',');
        }
        // An empty last argument makes a trailing comma, which is valid.
        let last_is_empty = !comma && arguments.last().is_some_and(|last| last.text().is_empty());
        prop_assume!(!last_is_empty && !text.is_empty());
        let Some(args) = tokens(&text) else { return Ok(()) };
        let expanded = attribute(args, tokens(FUNCTION).expect("lex function"));
        prop_assert!(contains_ident(expanded.clone(), "body_of_mine"), "{}", text_of(&expanded));
        let found = contains_ident(expanded.clone(), "compile_error");
        prop_assert_eq!(!found, is_valid(&arguments), "{}: {}", text, text_of(&expanded));
        if !found {
            syn::parse2::<syn::ItemFn>(expanded).expect("the expansion is a function");
        }
    }

    #[test]
    fn any_arguments_preserve_the_function(args in token_soup()) {
        let expanded = attribute(args, tokens(FUNCTION).expect("lex function"));
        prop_assert!(contains_ident(expanded.clone(), "body_of_mine"), "{}", text_of(&expanded));
        if contains_ident(expanded.clone(), "compile_error") {
            let expanded = text_of(&expanded);
            let function = text_of(&tokens(FUNCTION).expect("lex function"));
            prop_assert!(expanded.ends_with(&function), "{}", expanded);
        }
    }

    #[test]
    fn any_item_is_preserved(args in token_soup(), item in token_soup(), body in token_soup()) {
        let expanded = attribute(args.clone(), item.clone());
        if contains_ident(expanded.clone(), "compile_error") {
            prop_assert!(text_of(&expanded).ends_with(&text_of(&item)), "{}", text_of(&expanded));
        }
        // A body is not parsed.
        let body = Group::new(Delimiter::Brace, body);
        let signature = "pub async fn f(&self, (a, _): (A, B)) -> impl T";
        let mut item = tokens(signature).expect("lex signature");
        item.extend([TokenTree::Group(body.clone())]);
        let expanded = attribute(tokens("\"a\"").expect("lex tokens"), item);
        let body_has_error = contains_ident(body.stream(), "compile_error");
        prop_assert!(body_has_error || !contains_ident(expanded.clone(), "compile_error"));
        let inside = text_of(&body.stream());
        if !inside.starts_with("# !") {
            prop_assert!(text_of(&expanded).contains(&inside), "{}", text_of(&expanded));
        }
    }
}
