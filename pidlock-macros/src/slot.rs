//! The hidden attribute that `#[pidfile]` puts below all others.
//!
//! Another macro's attribute sees the function after `#[pidfile]` has put the acquisition into the
//! body, and before the hidden attribute changes the signature. That attribute declares the guard, and
//! the *slot*, a reference through which the body stores the guard. So the other macro sees the
//! parameters as written, and the values that it adds are dropped before the guard, as the parameters
//! are. If it moves the body to where the guard cannot outlive the body, the slot is out of scope there
//! or does not live long enough, so the program does not compile.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Path, Result, ReturnType, Token, parse_quote_spanned};

use crate::frame;
use crate::function::Function;

/// Returns the name of the slot, which is a reference to the guard's variable. The name has the
/// hygiene of this expansion, so it cannot clash with another name, not even with the slot of
/// another `#[pidfile]` on the function.
pub(crate) fn name() -> Ident {
    Ident::new("__pls", Span::mixed_site())
}

/// Adds the hidden attribute to the function. The body fills the slot.
pub(crate) fn declare_below(core: &TokenStream, slot: &Ident, function: &mut Function) {
    let (asyncness, output) = (&function.sig.asyncness, &function.sig.output);
    function
        .attrs
        .push(parse_quote_spanned! {Span::mixed_site()=>
            #[#core::with_slot(#slot, #core, #asyncness #output)]
        });
}

/// The arguments of the hidden attribute.
struct Args {
    slot: Ident,
    core: Path,
    /// Whether the function was `async`, and its return type, when `#[pidfile]` saw it.
    was_async: bool,
    output: ReturnType,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let slot = input.parse()?;
        input.parse::<Token![,]>()?;
        let core = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok(Args {
            slot,
            core,
            was_async: input.parse::<Option<Token![async]>>()?.is_some(),
            output: input.parse()?,
        })
    }
}

/// Declares the slot, and moves the parameters.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = Args::parse
        .parse2(args)
        .and_then(|args| Ok((args, Function::parse.parse2(item.clone())?)));
    let (args, mut function) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return [error.to_compile_error(), item].into_iter().collect(),
    };
    let core = args.core.to_token_stream();
    let is_async = function.sig.asyncness.is_some();
    if args.was_async && !is_async && text(&args.output) != text(&function.sig.output) {
        let message = "an attribute below `#[pidfile]` turns this `async fn` into a function that \
                       returns before its work is done, and the lock would be released then: put \
                       `#[pidfile]` on an `async fn` of its own, and call that here";
        let error = Error::new(function.sig.ident.span(), message).to_compile_error();
        function.body = frame::with_any_slot(&core, &args.slot, &function.body);
        return quote! { #error #function };
    }
    frame::with_slot(&core, &args.slot, &TokenStream::new(), function)
}

/// Returns the tokens without spaces, because another macro may have changed the spaces.
fn text(output: &ReturnType) -> String {
    let text = output.to_token_stream().to_string();
    text.split_whitespace().collect()
}
