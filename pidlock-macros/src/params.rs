//! Moves parameters into the guarded block, so that they are dropped before the guard.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, Pat, PatIdent, PatType, Receiver, ReceiverKind, Signature, Token, Type,
};

use crate::attributes;
use crate::function::type_arguments;
use crate::patterns;

/// Replaces each pattern in the signature by a name, and returns `let` statements that bind the
/// pattern again.
///
/// Each parameter is first rebound whole and then by its pattern, so that parts bound to `_` are
/// dropped inside the block, too. If a macro is below, names are kept where possible, because that
/// macro can refer to them.
pub(crate) fn rebind(sig: &mut Signature, core: &TokenStream, macro_below: bool) -> TokenStream {
    let mut moves = TokenStream::new();
    if patterns::bind_a_name_twice(sig) {
        // The compiler reports that in a signature, but not in two `let` statements, so leave the
        // signature as it is.
        return moves;
    }
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(param) = input {
            moves.extend(rebind_one(param, index, core, macro_below));
        }
    }
    moves
}

/// Returns `true` if a parameter has a pattern that is more than a name.
pub(crate) fn has_patterns(sig: &Signature) -> bool {
    (sig.inputs.iter()).any(|input| matches!(input, FnArg::Typed(param) if name(param).is_none()))
}

/// Returns `true` if [`rebind`] gives a parameter another name, even with a macro below.
pub(crate) fn any_is_renamed(sig: &Signature) -> bool {
    sig.inputs.iter().any(|input| match input {
        FnArg::Typed(param) => !keeps_name(param),
        FnArg::Receiver(_) => false,
    })
}

/// Returns the name of a parameter, if its pattern is only a name.
fn name(param: &PatType) -> Option<&Ident> {
    match &*param.pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            ident,
            ..
        }) => Some(ident),
        _ => None,
    }
}

/// Returns `true` if the parameter can be rebound under its name without a lint.
fn keeps_name(param: &PatType) -> bool {
    let expects = |attr: &Attribute| attr.to_token_stream().to_string().contains("expect");
    name(param).is_some_and(is_lint_neutral) && !param.attrs.iter().any(expects)
}

/// Replaces one pattern by a name, and returns the statements that rebind it.
fn rebind_one(
    param: &mut PatType,
    index: usize,
    core: &TokenStream,
    macro_below: bool,
) -> TokenStream {
    let span = Span::mixed_site();
    let keeps_name = macro_below && keeps_name(param);
    let refutable = patterns::refutable(param);
    // The name is located at the pattern, so that errors about arguments point there. The error
    // about a pattern that can fail points at the whole pattern only if all its tokens, with the
    // name, have the same hygiene.
    let place = match refutable {
        Some(_) => param.pat.span(),
        None => span.located_at(param.pat.span()),
    };
    let whole = format_ident!("__plp{index}", span = place);
    attributes::allow_quiet_lints(&mut param.attrs);
    let attrs = Attrs::sort(std::mem::take(&mut param.attrs));
    let Attrs {
        cfgs,
        lint_levels,
        expectations,
        ..
    } = &attrs;
    let (renamed, moves) = match &*param.pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            mutability,
            ident,
            ..
        }) if refutable.is_none() => {
            let renamed = match keeps_name {
                true => ident.clone(),
                false => hygienic_alias(ident, whole),
            };
            let mut moves = quote_spanned! {span=>
                #(#cfgs)* #(#lint_levels)* #(#expectations)* let #mutability #ident = { #renamed };
            };
            if keeps_name {
                // A use of the parameter, because lints would call it unused if only the macro
                // below uses it.
                moves.extend(quote_spanned! {span=> #(#cfgs)* let _ = &#ident; });
            }
            (renamed, moves)
        }
        pat => {
            let mut moves = if borrows_mutably(pat.to_token_stream()) {
                // Silences `unused_mut` if the pattern goes through a reference.
                quote_spanned! {span=>
                    #(#cfgs)* let mut #whole = #whole;
                    #(#cfgs)* let _ = &mut #whole;
                }
            } else {
                quote_spanned! {span=> #(#cfgs)* let #whole = #whole; }
            };
            if !matches!(pat, Pat::Wild(_)) {
                // The statement's span reaches from the pattern to the type, so that type errors
                // point there.
                let (first, last) = (
                    span.located_at(pat.span()),
                    span.located_at(param.ty.span()),
                );
                let mut value = whole.clone();
                value.set_span(place.located_at(last));
                let or_else = (refutable.is_some())
                    .then(|| quote_spanned! {span=> else { #core::unreachable!() } });
                let (start, end) = (quote_spanned! {first=> let }, quote_spanned! {last=> ; });
                moves.extend(quote_spanned! {span=>
                    #(#cfgs)* #(#lint_levels)* #(#expectations)* #start #pat = #value #or_else #end
                });
            }
            (whole, moves)
        }
    };
    param.attrs = attrs.for_signature();
    *param.pat = Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: renamed,
        subpat: refutable.map(|pat| (Token![@](place), Box::new(pat))),
    });
    moves
}

/// Returns `true` if the pattern contains `ref mut`.
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

/// Returns the name that a parameter gets in the signature: its own name with our hygiene.
///
/// With the user's hygiene, lints would flag a name that is bound twice, or used only to bind it
/// again. With our hygiene, a name that starts like our own names could clash with one of them, so
/// it is replaced by `whole`.
fn hygienic_alias(ident: &Ident, whole: Ident) -> Ident {
    if ident.to_string().starts_with("__pl") {
        return whole;
    }
    let mut alias = ident.clone();
    alias.set_span(Span::mixed_site().located_at(ident.span()));
    alias
}

/// Returns `true` if no lint but Clippy's `shadow_same` fires on `let name = name`, and the name
/// cannot be a constant's.
fn is_lint_neutral(ident: &Ident) -> bool {
    let name = ident.to_string();
    name.starts_with("r#")
        || name.chars().all(|c| c == '_' || !c.is_uppercase()) && !name.starts_with('_')
}

/// The attributes of a parameter, by destination.
struct Attrs {
    /// For the signature and the `let`: a parameter that is configured out cannot be rebound.
    cfgs: Vec<Attribute>,
    /// For the signature and the `let`: lints check the type in one and the pattern in the other.
    lint_levels: Vec<Attribute>,
    /// For the `let` only, where the lint fires; elsewhere the expectation would be unfulfilled.
    expectations: Vec<Attribute>,
    /// For the signature only, where other macros expect them.
    others: Vec<Attribute>,
}

impl Attrs {
    /// Sorts attributes by destination.
    fn sort(attrs: Vec<Attribute>) -> Self {
        let mut sorted = Attrs {
            cfgs: Vec::new(),
            lint_levels: Vec::new(),
            expectations: Vec::new(),
            others: Vec::new(),
        };
        for attr in attrs {
            let name = attr.path().to_token_stream().to_string();
            let destination = match name.as_str() {
                "cfg_attr" if attr.meta.to_token_stream().to_string().contains("expect") => {
                    &mut sorted.expectations
                }
                "cfg" | "cfg_attr" => &mut sorted.cfgs,
                "allow" | "warn" | "deny" | "forbid" => &mut sorted.lint_levels,
                "expect" => &mut sorted.expectations,
                _ => &mut sorted.others,
            };
            destination.push(attr);
        }
        sorted
    }

    /// Returns the attributes that stay on the parameter in the signature.
    fn for_signature(self) -> Vec<Attribute> {
        self.cfgs
            .into_iter()
            .chain(self.lint_levels)
            .chain(self.others)
            .collect()
    }
}

/// Returns `true` if the function takes `self` by value, which cannot be rebound with `let`.
///
/// A reference, pinned or not, needs no rebinding, because dropping it does nothing.
pub(crate) fn is_owned(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => false,
        ReceiverKind::Typed(_, ty) => !is_reference(ty),
        _ => true,
    }
}

/// Returns `true` if the type is a reference or a pinned one.
fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(inner) => is_reference(&inner.elem),
        Type::Path(ty) => {
            ty.path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Pin")
                && type_arguments(&ty.path).next().is_some_and(is_reference)
        }
        _ => false,
    }
}
