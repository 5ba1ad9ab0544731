//! The attribute, the code itself: its arguments in the first line, what it stands above in the
//! rest. Whatever is wrong with either, that is said, and the rest is passed on.

#![no_main]

#[path = "../../../pidlock-macros/src/args.rs"]
mod args;
#[path = "../../../pidlock-macros/src/expand.rs"]
mod expand;
#[path = "../../../pidlock-macros/src/function.rs"]
mod function;
#[path = "../../../pidlock-macros/src/keys.rs"]
mod keys;
#[path = "../../../pidlock-macros/src/literal.rs"]
mod literal;
#[path = "../../../pidlock-macros/src/params.rs"]
mod params;
#[path = "../../../pidlock-macros/src/spans.rs"]
mod spans;

use libfuzzer_sys::fuzz_target;
use proc_macro2::{TokenStream, TokenTree};

fuzz_target!(|text: &str| {
    let (args, item) = text
        .split_once('\n')
        .unwrap_or((text, "fn f(mut a: A) -> R { body }"));
    let tokens = |text: &str| text.parse::<TokenStream>().ok();
    let (Some(args), Some(item)) = (tokens(args), tokens(item)) else {
        return;
    };
    let written = expand::attribute(args, item.clone()).to_string();
    if written.contains("compile_error !") {
        let ends = written.ends_with(&item.to_string());
        assert!(
            ends || item.to_string().contains("compile_error"),
            "{written}"
        );
    } else if let Some(TokenTree::Group(body)) = item.into_iter().last() {
        // Attributes at the beginning of the body move up.
        let body = body.stream().to_string();
        let moves = body.starts_with('#');
        assert!(moves || written.contains(&body), "{written}");
    }
});
