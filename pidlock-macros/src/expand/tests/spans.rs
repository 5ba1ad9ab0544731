//! Tests of the spans of generated tokens, which editors follow and errors point at.

use proc_macro2::{TokenStream, TokenTree};

use super::{attribute, tokens};

/// Returns the tokens that the user wrote, each with its line and column.
fn user_tokens(stream: TokenStream) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for tree in stream {
        let (text, span) = match &tree {
            TokenTree::Group(group) => {
                found.extend(user_tokens(group.stream()));
                continue;
            }
            _ => (tree.to_string(), tree.span()),
        };
        if span.source_text().as_deref() == Some(&text) {
            found.push((text, span.start().line, span.start().column));
        }
    }
    found
}

/// Returns the first occurrence of a word in a text of one line, as `user_tokens` does.
fn place(word: &str, text: &str) -> (String, usize, usize) {
    (word.to_owned(), 1, text.find(word).unwrap())
}

/// Returns the generated tokens whose span starts at this column.
fn tokens_at(column: usize, stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for tree in stream {
        if let TokenTree::Group(group) = &tree {
            found.extend(tokens_at(column, group.stream()));
        } else if tree.span().start().column == column && tree.span().source_text().is_some() {
            found.push(tree.to_string());
        }
    }
    found
}

#[test]
fn function_tokens_keep_their_spans() {
    for item in [
        "#[inline] pub fn work(a: u8, (b, _): (u8, [u8; 2])) -> Result<u8, E> {\n let c = a + b;\n c.\n}",
        "async fn work(self, mut x: T) -> Option<T> where T: Copy {\n let y = x.;\n Some(x)\n}",
        "fn work(self: Box<Self>, _: u8) -> impl Iterator<Item = u8> {\n #![allow(unused)]\n for x in\n}",
    ] {
        let expanded = user_tokens(attribute(
            tokens("\"name\", on_error = |_| x"),
            tokens(item),
        ));
        for token in user_tokens(tokens(item)) {
            // `_` is not rebound, and so is missing.
            assert!(expanded.contains(&token) || token.0 == "_", "{token:?}");
        }
    }
}

#[test]
fn keys_and_values_keep_their_spans() {
    let args = "name = alpha, dir = beta(), mode = gamma.x, keep, on_error = delta";
    let expanded = user_tokens(attribute(tokens(args), tokens("\n\nfn f() {}")));
    for word in [
        "name", "alpha", "dir", "beta", "mode", "gamma", "x", "keep", "delta",
    ] {
        assert!(expanded.contains(&place(word, args)), "{word}");
    }

    let args = "crate = alpha::beta, path = gamma";
    let stream = attribute(tokens(args), tokens("\n\nfn f() {}"));
    let expanded = user_tokens(stream.clone());
    for word in ["alpha", "beta", "gamma"] {
        assert!(expanded.contains(&place(word, args)), "{word}");
    }
    // The generated `PidFile::at` has the span of the key.
    let at = tokens_at(place("path", args).2, stream);
    assert!(at.contains(&"PidFile".to_owned()) && at.contains(&"at".to_owned()));

    let args = "       \"alpha\"";
    let stream = attribute(tokens(args), tokens("fn f() {}"));
    assert_eq!(tokens_at(7, stream), ["name", "\"alpha\""]);
}

#[test]
fn generated_tokens_around_a_value_have_its_spans() {
    let args = "path = base + 1, on_error = make(7)";
    let stream = attribute(tokens(args), tokens("\n\nfn f() {}"));
    let generated_at = |word| tokens_at(place(word, args).2, stream.clone());
    assert!(generated_at("base").contains(&"&".to_owned()));
    assert!(generated_at("make").contains(&"refused_by".to_owned()));
}
