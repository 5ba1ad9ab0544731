//! The return type, as it can be written in the function's body, where `impl Trait` is not allowed.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{ReturnType, Signature};

/// Returns the return type, with `_` for `impl Trait`. If no return type is written, returns `()`,
/// located at the function's name.
pub(crate) fn output(sig: &Signature) -> TokenStream {
    match &sig.output {
        ReturnType::Default => {
            let name = Span::mixed_site().located_at(sig.ident.span());
            quote_spanned! {name=> () }
        }
        ReturnType::Type(_, ty) => erase_impl_trait(ty.to_token_stream()),
    }
}

/// Replaces each `impl Trait` and its bounds by `_`, so that the type can be written inside the
/// function.
pub(crate) fn erase_impl_trait(ty: TokenStream) -> TokenStream {
    let mut erased = TokenStream::new();
    let mut rest = ty.into_iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" => {
                let span = Span::mixed_site().located_at(word.span());
                erased.extend(quote_spanned! {span=> _ });
                let mut depth = 0_usize;
                let mut previous = ' ';
                while let Some(next) = rest.peek() {
                    let mark = if let TokenTree::Punct(punct) = next {
                        punct.as_char()
                    } else {
                        ' '
                    };
                    match mark {
                        '<' => depth += 1,
                        // Part of an arrow, as in `impl Fn() -> T`.
                        '>' if previous == '-' => {}
                        '>' | ',' | ';' if depth == 0 => break,
                        '>' => depth -= 1,
                        _ => {}
                    }
                    previous = mark;
                    rest.next();
                }
            }
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
                let mut inside = Group::new(group.delimiter(), erase_impl_trait(group.stream()));
                inside.set_span(group.span());
                erased.extend([TokenTree::Group(inside)]);
            }
            other => erased.extend([other]),
        }
    }
    erased
}
