//! The parameters, moved into the block that the lock outlives.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Attribute, FnArg, Pat, PatIdent, PatType, Receiver, ReceiverKind, Signature, Type};

use crate::function::first_argument;

/// Signs each parameter under a name that can be moved from, and returns the statements that move
/// them: the whole first, then what its pattern takes out of it, so that `_` parts go too.
pub(crate) fn rebind(sig: &mut Signature) -> TokenStream {
    let mut moves = TokenStream::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(param) = input {
            moves.extend(rebind_one(param, index));
        }
    }
    moves
}

fn rebind_one(param: &mut PatType, index: usize) -> TokenStream {
    let here = Span::mixed_site();
    let whole = format_ident!("__plp{index}", span = here);
    let attrs = Attrs::sort(std::mem::take(&mut param.attrs));
    let Attrs {
        cfgs,
        levels,
        expects,
        ..
    } = &attrs;
    let (signed, moves) = match &*param.pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            mutability,
            ident,
            ..
        }) => {
            let (signed, value) = if is_plain(ident) && expects.is_empty() {
                (ident.clone(), ident.to_token_stream())
            } else {
                let twin = twin(ident, whole);
                let value = quote_spanned! {here=> { #twin } };
                (twin, value)
            };
            let moves = quote_spanned! {here=>
                #(#cfgs)* #(#levels)* #(#expects)* let #mutability #ident = #value;
            };
            (signed, moves)
        }
        pat => {
            let mut moves = if borrows_mutably(pat.to_token_stream()) {
                // Used as what it is, in case that the pattern goes through a reference anyway.
                quote_spanned! {here=>
                    #(#cfgs)* let mut #whole = #whole;
                    #(#cfgs)* let _ = &mut #whole;
                }
            } else {
                quote_spanned! {here=> #(#cfgs)* let #whole = #whole; }
            };
            if !matches!(pat, Pat::Wild(_)) {
                moves.extend(quote_spanned! {here=>
                    #(#cfgs)* #(#levels)* #(#expects)* let #pat = #whole;
                });
            }
            (whole, moves)
        }
    };
    param.attrs = attrs.on_signature();
    *param.pat = Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: signed,
        subpat: None,
    });
    moves
}

/// Whether there is a `ref mut` in the pattern.
fn borrows_mutably(pat: TokenStream) -> bool {
    let mut after_ref = false;
    pat.into_iter().any(|token| match token {
        TokenTree::Group(group) => borrows_mutably(group.stream()),
        TokenTree::Ident(word) => {
            let found = after_ref && word == "mut";
            after_ref = word == "ref";
            found
        }
        _ => false,
    })
}

/// Lints would see the name itself used by its `let`, or signed twice. One of the same letters but
/// another hygiene stands in for it in the signature, unless it could then be one of ours.
fn twin(ident: &Ident, whole: Ident) -> Ident {
    if ident.to_string().starts_with("__pl") {
        return whole;
    }
    let mut twin = ident.clone();
    twin.set_span(Span::mixed_site().located_at(ident.span()));
    twin
}

/// A name that lints let stand on both sides of a `let`, and that cannot be a constant's.
fn is_plain(ident: &Ident) -> bool {
    let name = ident.to_string();
    name.starts_with("r#")
        || name.chars().all(|c| c == '_' || !c.is_uppercase()) && !name.starts_with('_')
}

/// The attributes of a parameter, by where they have to stand once it is bound by a `let`.
struct Attrs {
    /// On both: what is configured away is not there to be moved.
    cfgs: Vec<Attribute>,
    /// On both: they speak of the pattern as well as of the type.
    levels: Vec<Attribute>,
    /// On the `let` only, where the lint fires: elsewhere the expectation is not met.
    expects: Vec<Attribute>,
    /// Another macro's business.
    others: Vec<Attribute>,
}

impl Attrs {
    fn sort(attrs: Vec<Attribute>) -> Self {
        let mut sorted = Attrs {
            cfgs: Vec::new(),
            levels: Vec::new(),
            expects: Vec::new(),
            others: Vec::new(),
        };
        for attr in attrs {
            let name = attr.path().to_token_stream().to_string();
            let place = match name.as_str() {
                "cfg_attr" if attr.meta.to_token_stream().to_string().contains("expect") => {
                    &mut sorted.expects
                }
                "cfg" | "cfg_attr" => &mut sorted.cfgs,
                "allow" | "warn" | "deny" | "forbid" => &mut sorted.levels,
                "expect" => &mut sorted.expects,
                _ => &mut sorted.others,
            };
            place.push(attr);
        }
        sorted
    }

    fn on_signature(self) -> Vec<Attribute> {
        self.cfgs
            .into_iter()
            .chain(self.levels)
            .chain(self.others)
            .collect()
    }
}

/// Whether the function owns its `self`, which no `let` can move. A reference, pinned or not, has
/// nothing to drop.
pub(crate) fn is_owned(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => false,
        ReceiverKind::Typed(_, ty) => !is_reference(ty),
        _ => true,
    }
}

fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(inner) => is_reference(&inner.elem),
        Type::Path(ty) => {
            ty.path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Pin")
                && first_argument(&ty.path).is_some_and(is_reference)
        }
        _ => false,
    }
}
