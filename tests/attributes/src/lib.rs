//! Attributes that move the body of a function, as those of other crates do.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Runs the body in a thread, and does not wait for it.
#[proc_macro_attribute]
pub fn in_a_thread(_: TokenStream, item: TokenStream) -> TokenStream {
    with_body(item, |body| {
        let mut thread: TokenStream = "let _ = ::std::thread::spawn".parse().expect("lex");
        let mut closure: TokenStream = "move ||".parse().expect("lex");
        closure.extend([body]);
        thread.extend([group(Delimiter::Parenthesis, closure)]);
        thread.extend(";".parse::<TokenStream>());
        thread
    })
}

/// Moves the body into a function in the function.
#[proc_macro_attribute]
pub fn in_a_function(_: TokenStream, item: TokenStream) -> TokenStream {
    with_body(item, |body| {
        let mut inner: TokenStream = "fn inner()".parse().expect("lex");
        inner.extend([body]);
        inner.extend("inner();".parse::<TokenStream>());
        inner
    })
}

/// Puts the body into braces. `#[pidfile]` knows the name as one of attributes that move the body.
#[proc_macro_attribute]
pub fn task(_: TokenStream, item: TokenStream) -> TokenStream {
    with_body(item, TokenStream::from)
}

/// Returns the function without its other attributes.
#[proc_macro_attribute]
pub fn alone(_: TokenStream, item: TokenStream) -> TokenStream {
    item.into_iter()
        .skip_while(|token| token.to_string() != "fn")
        .collect()
}

/// Replaces the body, which is the last token of the function.
fn with_body(item: TokenStream, replace: impl FnOnce(TokenTree) -> TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let body = tokens.pop().expect("a function has a body");
    let replaced = replace(body);
    tokens.push(group(Delimiter::Brace, replaced));
    tokens.into_iter().collect()
}

fn group(delimiter: Delimiter, inside: TokenStream) -> TokenTree {
    TokenTree::Group(Group::new(delimiter, inside))
}
