//! Where the compiler points to when tokens of ours and of the user's do not fit.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Spans for tokens of ours around tokens of the user's: together they cover what he wrote, where
/// one span for all could not be had on a stable compiler.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let here = Span::mixed_site();
    let mut trees = tokens.to_token_stream().into_iter();
    let first = trees.next().map_or(here, |tree| tree.span());
    let last = trees.last().map_or(first, |tree| tree.span());
    (here.located_at(first), here.located_at(last))
}

/// The same tokens, with the names they had, in another place.
pub(crate) fn located(tokens: TokenStream, there: Span) -> TokenStream {
    let locate = |mut tree: TokenTree| {
        tree.set_span(tree.span().located_at(there));
        tree
    };
    tokens.into_iter().map(locate).collect()
}
