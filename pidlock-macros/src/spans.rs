//! Spans that make compiler errors point at the user's tokens.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The spans of the first and last of the user's tokens, with our hygiene.
///
/// A compiler error about an expression covers everything from its first token to its last, and
/// stable compilers cannot join two spans into one. So the generated token before the user's tokens
/// gets the first of these spans, and the generated token after them gets the second.
pub(crate) fn outer_spans(tokens: &impl ToTokens) -> (Span, Span) {
    let span = Span::mixed_site();
    let mut trees = tokens.to_token_stream().into_iter();
    let first = trees.next().map_or(span, |tree| tree.span());
    let last = trees.last().map_or(first, |tree| tree.span());
    (span.located_at(first), span.located_at(last))
}

/// Moves tokens to another place in the source without changing what their names refer to.
pub(crate) fn respan(tokens: TokenStream, target: Span) -> TokenStream {
    let respan_one = |mut tree: TokenTree| {
        tree.set_span(tree.span().located_at(target));
        tree
    };
    tokens.into_iter().map(respan_one).collect()
}
