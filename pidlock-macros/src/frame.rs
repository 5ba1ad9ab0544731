//! The outer block of a guarded function.
//!
//! It declares the guard first, so that the guard is dropped last. Then it moves the parameters
//! into the block, so that they are dropped before the guard.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Signature;

use crate::attributes;
use crate::function::{Function, split_inner_attributes};
use crate::output::output;
use crate::params;
use crate::spans::outer_spans;

/// Returns the new body, which `inside` generates from the old one. The inner attributes stay.
pub(crate) fn replace_body(
    body: &Group,
    inside: impl FnOnce(&TokenStream) -> TokenStream,
) -> Group {
    let (inner_attributes, rest) = split_inner_attributes(body);
    // The user's block is put in parentheses, because otherwise lints call its braces redundant at
    // the end of our block. Inside another expression, such as a match arm, a closure would not get
    // its type from the return type.
    let mut parentheses = Group::new(Delimiter::Parenthesis, rest.into_token_stream());
    parentheses.set_span(Span::mixed_site());
    let inside = inside(&parentheses.into_token_stream());
    let mut replaced = Group::new(Delimiter::Brace, quote! { #inner_attributes #inside });
    replaced.set_span(body.span());
    replaced
}

/// Returns the function with the block that `block` generates from the signature, the statements
/// that move the parameters, and the body.
///
/// `cargo doc` sees the signature as written, with the body `documented`.
pub(crate) fn with_block(
    core: &TokenStream,
    mut function: Function,
    documented: Group,
    block: impl FnOnce(&Signature, &TokenStream, &TokenStream) -> TokenStream,
) -> TokenStream {
    let span = Span::mixed_site();
    let macro_below = attributes::any_macro(&function.attrs);
    let written = params::has_patterns(&function.sig).then(|| function.header());
    let moves = params::rebind(&mut function.sig, core, macro_below);
    // A statement before our block, so that lints do not call its braces redundant where the macro
    // below puts them.
    let separator = macro_below.then(|| quote_spanned! {span=> const _: () = (); });
    function.body = replace_body(&function.body, |body| {
        let block = block(&function.sig, &moves, body);
        quote! { #separator #block }
    });
    match written {
        None => function.into_token_stream(),
        Some(written) => quote_spanned! {span=>
            #[cfg(not(doc))]
            #function
            #[cfg(doc)]
            #written #documented
        },
    }
}

/// Returns the function with a slot for the guard. `fill` runs once the parameters are moved.
pub(crate) fn with_slot(
    core: &TokenStream,
    slot: &Ident,
    fill: &TokenStream,
    function: Function,
) -> TokenStream {
    let span = Span::mixed_site();
    let guard = Ident::new("__plg", span);
    let returns_never = function.returns_never();
    let documented = with_any_slot(core, slot, &function.body);
    with_block(core, function, documented, |sig, moves, body| {
        let run = match sig.receiver().filter(|receiver| params::is_owned(receiver)) {
            Some(receiver) => {
                let this = &receiver.self_token;
                let before = quote_spanned! {span=> let _ = &#this; #moves #fill };
                owning_self(core, sig, returns_never, &before, body)
            }
            None => quote_spanned! {span=> #moves #fill #body },
        };
        quote_spanned! {span=> {
            let mut #guard = #core::None;
            let #slot = &mut #guard;
            #run
        } }
    })
}

/// Declares the slot in the body of a function that is not guarded, so that the use of the slot
/// causes no further error.
pub(crate) fn with_any_slot(core: &TokenStream, slot: &Ident, body: &Group) -> Group {
    replace_body(body, |body| {
        quote_spanned! {Span::mixed_site()=>
            let #slot = #core::type_witness::<&'static mut _>();
            #body
        }
    })
}

/// Generates the end of the block of a function with by-value `self`, which cannot be rebound with
/// `let`. A closure or an `async` block captures it instead.
fn owning_self(
    core: &TokenStream,
    sig: &Signature,
    returns_never: bool,
    before: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let span = Span::mixed_site();
    let output = output(sig);
    // The closure or block is located at the function's name, because errors about `?` point there
    // and call it "this function".
    let name = span.located_at(sig.ident.span());
    // The call is located at the return type, because errors point there, with "return type
    // inferred here".
    let witness = |ty: TokenStream| {
        let (place, _) = outer_spans(&output);
        let call = quote_spanned! {span=> #core::type_witness::<#ty>() };
        quote_spanned! {place=> { #call } }
    };
    // A `return` satisfies Clippy's `implicit_return`. Before a value of type `!` it would be
    // unreachable, so there is none then.
    let returns = (!returns_never).then(|| quote_spanned! {span=> return });
    if sig.asyncness.is_none() {
        let closure = quote_spanned! {name=> move || -> #output };
        return quote_spanned! {span=> #returns #core::once(#closure { #before #body }) };
    }
    let block = quote_spanned! {name=> async move };
    if returns_never {
        // An async block cannot have type `!`, so it gets a type that the body never returns. The
        // `let` checks that the body is of type `!`, which outside of signatures can only be named
        // as the return type of a function pointer. The body is a match arm, because there lints
        // accept that it diverges. The `if` makes the end of the block reachable for the compiler,
        // so that a body of another type causes one error.
        let witness = witness(quote_spanned! {span=> #core::Never });
        quote_spanned! {span=>
            #block {
                if false {
                    return #witness;
                }
                #before
                if true {
                    let _: <fn() -> ! as #core::Returns>::Output = match () { () => #body };
                }
                #core::type_witness()
            }.await;
            #core::type_witness()
        }
    } else {
        let witness = witness(output.clone());
        quote_spanned! {span=>
            #returns #block {
                if false {
                    return #witness;
                }
                #before
                #body
            }.await
        }
    }
}
