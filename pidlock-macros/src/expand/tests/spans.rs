//! Where the written tokens come from: it is there that editors lead to, and errors point.

use proc_macro2::{TokenStream, TokenTree};

use super::{attribute, tokens};

/// The tokens that were written by the user, with their place in the text: line and column.
fn located(stream: TokenStream) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for tree in stream {
        let (text, span) = match &tree {
            TokenTree::Group(group) => {
                found.extend(located(group.stream()));
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

/// The place of a word in a text of one line.
fn place(word: &str, text: &str) -> (String, usize, usize) {
    (word.to_owned(), 1, text.find(word).unwrap())
}

/// The first word written for the place of another.
fn written_at(place: usize, stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for tree in stream {
        if let TokenTree::Group(group) = &tree {
            found.extend(written_at(place, group.stream()));
        } else if tree.span().start().column == place && tree.span().source_text().is_some() {
            found.push(tree.to_string());
        }
    }
    found
}

#[test]
fn every_token_of_the_function_keeps_its_place() {
    for item in [
        "#[inline] pub fn work(a: u8, (b, _): (u8, [u8; 2])) -> Result<u8, E> {\n let c = a + b;\n c.\n}",
        "async fn work(self, mut x: T) -> Option<T> where T: Copy {\n let y = x.;\n Some(x)\n}",
        "fn work(self: Box<Self>, _: u8) -> impl Iterator<Item = u8> {\n #![allow(unused)]\n for x in\n}",
    ] {
        let written = located(attribute(
            tokens("\"name\", on_error = |_| x"),
            tokens(item),
        ));
        for token in located(tokens(item)) {
            // A pattern is moved out of the signature, and `_` is nothing to be bound.
            assert!(written.contains(&token) || token.0 == "_", "{token:?}");
        }
    }
}

#[test]
fn keys_lead_to_their_setters_and_values_stay_where_they_are() {
    let args = "name = alpha, dir = beta(), mode = gamma.x, keep, on_error = delta";
    let written = located(attribute(tokens(args), tokens("\n\nfn f() {}")));
    for word in [
        "name", "alpha", "dir", "beta", "mode", "gamma", "x", "keep", "delta",
    ] {
        assert!(written.contains(&place(word, args)), "{word}");
    }

    let args = "crate = alpha::beta, path = gamma";
    let stream = attribute(tokens(args), tokens("\n\nfn f() {}"));
    let written = located(stream.clone());
    for word in ["alpha", "beta", "gamma"] {
        assert!(written.contains(&place(word, args)), "{word}");
    }
    // `PidFile::at`, and the way to it.
    let at = written_at(place("path", args).2, stream);
    assert!(at.contains(&"PidFile".to_owned()) && at.contains(&"at".to_owned()));

    let args = "       \"alpha\"";
    let stream = attribute(tokens(args), tokens("fn f() {}"));
    assert_eq!(written_at(7, stream), ["name", "\"alpha\""]);
}

#[test]
fn what_is_ours_around_a_value_covers_it() {
    let args = "path = base + 1, on_error = make(7)";
    let stream = attribute(tokens(args), tokens("\n\nfn f() {}"));
    let ours_at = |word| written_at(place(word, args).2, stream.clone());
    assert!(ours_at("base").contains(&"&".to_owned()));
    assert!(ours_at("make").contains(&"refused_by".to_owned()));
}
