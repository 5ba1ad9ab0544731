//! Fuzzes the attribute's code. The first line of the input is the arguments, the rest is the item.
//! The output is either the expanded function or a compile error followed by the unchanged item.

#![no_main]

#[path = "../../../pidlock-macros/src/args.rs"]
mod args;
#[path = "../../../pidlock-macros/src/attributes.rs"]
mod attributes;
#[path = "../../../pidlock-macros/src/expand.rs"]
mod expand;
#[path = "../../../pidlock-macros/src/frame.rs"]
mod frame;
#[path = "../../../pidlock-macros/src/function.rs"]
mod function;
#[path = "../../../pidlock-macros/src/keys.rs"]
mod keys;
#[path = "../../../pidlock-macros/src/literal.rs"]
mod literal;
#[path = "../../../pidlock-macros/src/output.rs"]
mod output;
#[path = "../../../pidlock-macros/src/params.rs"]
mod params;
#[path = "../../../pidlock-macros/src/patterns.rs"]
mod patterns;
#[path = "../../../pidlock-macros/src/slot.rs"]
mod slot;
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
    // The second stage gets what other macros make of the first one's output. It must not panic.
    drop(slot::attribute(args.clone(), item.clone()));
    let written = expand::attribute(args, item.clone()).to_string();
    if written.contains("compile_error !") {
        let ends = written.ends_with(&item.to_string());
        assert!(
            ends || item.to_string().contains("compile_error"),
            "{written}"
        );
    } else if let Some(TokenTree::Group(body)) = item.into_iter().last() {
        // Inner attributes move out of the body, so such a body does not appear unchanged.
        let body = body.stream().to_string();
        let moves = body.starts_with('#');
        assert!(moves || written.contains(&body), "{written}");
    }
});
