//! Generates the replacement function.
//!
//! The guard is declared first and so dropped last; everything else is moved or created inside. Our
//! tokens use mixed-site hygiene, so names cannot clash, lints treat them as macro code and blocks
//! follow this crate's edition.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprClosure, Pat, ReturnType};

use crate::args::{Args, Setting, Value};
use crate::attributes;
use crate::frame;
use crate::function::Function;
use crate::literal;
use crate::output::output;
use crate::params;
use crate::patterns;
use crate::slot;
use crate::spans::{outer_spans, respan};

/// Returns the guarded function, or on error the original one plus compile errors.
///
/// The original function is kept, so that the code that calls it causes no further errors.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = match Args::parse.parse2(args) {
        Ok(args) => args,
        Err(error) => return with_errors([error], item),
    };
    match Function::parse.parse2(item.clone()) {
        Err(error) => with_errors(args.errors.into_iter().chain([error]), item),
        Ok(function) => {
            let mut errors = function.errors(args.on_error.is_some());
            errors.extend(patterns::error_about_guard(
                &function.sig,
                args.guard.as_ref(),
            ));
            if args.errors.is_empty() && errors.is_empty() {
                expand(&args, function)
            } else {
                with_errors(args.errors.into_iter().chain(errors), item)
            }
        }
    }
}

/// Returns the errors as `compile_error!` calls, followed by the item.
fn with_errors(errors: impl IntoIterator<Item = Error>, item: TokenStream) -> TokenStream {
    errors
        .into_iter()
        .map(|error| error.to_compile_error())
        .chain([item])
        .collect()
}

/// Returns the guarded function. The caller has checked that there are no errors.
fn expand(args: &Args, mut function: Function) -> TokenStream {
    attributes::allow_quiet_lints(&mut function.attrs);
    let expansion = Expansion::new(args, &function);
    let macro_sees_the_signature =
        attributes::any_macro(&function.attrs) && !attributes::any_moves_the_body(&function.attrs);
    if macro_sees_the_signature && params::any_is_renamed(&function.sig) {
        expansion.for_macros_below(function)
    } else {
        expansion.whole(function)
    }
}

/// Builds the expansion.
struct Expansion<'a> {
    args: &'a Args,
    /// The path to the hidden module of the runtime crate.
    core: TokenStream,
    /// The return type, with `_` for `impl Trait`.
    output: TokenStream,
    /// The place of the error type in the return type.
    error_type: Span,
    is_async: bool,
    is_main: bool,
    returns_never: bool,
}

impl<'a> Expansion<'a> {
    /// Collects what the parts of the expansion depend on.
    fn new(args: &'a Args, function: &Function) -> Self {
        let span = Span::mixed_site();
        let core = args.core.as_ref().map_or_else(
            || quote_spanned! {span=> ::pidlock_core },
            ToTokens::to_token_stream,
        );
        Expansion {
            args,
            core: quote_spanned! {span=> #core::__private },
            output: output(&function.sig),
            error_type: function.error_type(),
            is_async: function.sig.asyncness.is_some(),
            is_main: function.is_main(),
            returns_never: function.returns_never(),
        }
    }

    /// Generates the guarded function.
    fn whole(&self, function: Function) -> TokenStream {
        let span = Span::mixed_site();
        if function.sig.receiver().is_some_and(params::is_owned) {
            let slot = slot::name();
            return frame::with_slot(&self.core, &slot, &self.fill(&slot), function);
        }
        let guard = Ident::new("__plg", span);
        let acquired = self.acquired();
        let bound =
            (self.args.guard.as_ref()).map(|name| quote_spanned! {span=> let #name = &#guard; });
        let documented = function.body.clone();
        frame::with_block(&self.core, function, documented, |_, moves, body| {
            quote_spanned! {span=> {
                let #guard;
                #moves
                #guard = #acquired;
                #bound
                #body
            } }
        })
    }

    /// Generates the function for the macros below: with the parameters as written, the acquisition
    /// in its body, and the hidden attribute, which does the rest (see `slot`).
    fn for_macros_below(&self, mut function: Function) -> TokenStream {
        let slot = slot::name();
        slot::declare_below(&self.core, &slot, &mut function);
        let fill = self.fill(&slot);
        function.body = frame::replace_body(&function.body, |body| quote! { #fill #body });
        function.into_token_stream()
    }

    /// Generates the statement that acquires the lock and stores the guard.
    fn fill(&self, slot: &Ident) -> TokenStream {
        let (span, core, acquired) = (Span::mixed_site(), &self.core, self.acquired());
        match &self.args.guard {
            Some(name) => quote_spanned! {span=> let #name = #core::store(#slot, #acquired); },
            None => quote_spanned! {span=> *#slot = #core::Some(#acquired); },
        }
    }

    /// Generates an expression that evaluates to the guard, or leaves the function if acquisition
    /// fails.
    fn acquired(&self) -> TokenStream {
        let span = Span::mixed_site();
        let (builder, guard, error) = (
            Ident::new("__plb", span),
            Ident::new("__plg", span),
            Ident::new("__ple", span),
        );
        let (core, built, refused) = (&self.core, self.builder(), self.refused(&error));
        let acquire = if self.is_async {
            // The builder is passed by value, so that the future of the function does not keep it.
            quote_spanned! {span=> #core::acquire_async(#builder).await }
        } else {
            quote_spanned! {span=> #core::acquire(&#builder) }
        };
        // The builder has a statement of its own, so that temporaries in its arguments, such as
        // `MutexGuard`s, are dropped before the file is acquired.
        quote_spanned! {span=> {
            let #builder = #built;
            match #acquire {
                #core::Ok(#guard) => #guard,
                #core::Err(#error) => #refused,
            }
        } }
    }

    /// Generates the builder and its calls.
    fn builder(&self) -> TokenStream {
        let span = Span::mixed_site();
        let core = &self.core;
        let mut builder = match &self.args.path {
            Some(Setting { setter, value }) => {
                let (value, key) = (self.value(value), span.located_at(setter.span()));
                let (core, at) = (respan(core.clone(), key), Ident::new("at", setter.span()));
                quote_spanned! {key=> #core::PidFile::#at(#value) }
            }
            None => quote_spanned! {span=> <#core::PidFile as #core::Default>::default() },
        };
        for setting in &self.args.settings {
            let (setter, value) = (&setting.setter, self.value(&setting.value));
            builder.extend(quote_spanned! {span=> .#setter(#value) });
        }
        builder
    }

    /// Generates the argument of a builder call.
    fn value(&self, value: &Value) -> TokenStream {
        let span = Span::mixed_site().located_at(value.span());
        let core = &self.core;
        match value {
            Value::Text(text) if literal::is_format(text) => {
                quote_spanned! {span=> &#core::format!(#text) }
            }
            Value::Text(text) => text.to_token_stream(),
            Value::TextExpr(text) => borrow(text),
            Value::Expr(value) => value.to_token_stream(),
            Value::True => quote_spanned! {span=> true },
        }
    }

    /// Generates the code that leaves the function if acquisition fails.
    ///
    /// A diverging call does not follow a `return`, because rustc would warn about unreachable
    /// code.
    fn refused(&self, error: &Ident) -> TokenStream {
        let span = Span::mixed_site();
        let Expansion {
            core,
            output,
            is_main,
            ..
        } = self;
        let outcome = match &self.args.on_error {
            None if self.returns_never => {
                quote_spanned! {span=> #core::refuse_diverging(#error, #is_main) }
            }
            None => {
                let inferred = quote_spanned! {self.error_type=> _ };
                quote_spanned! {span=> #core::refused::<#output, #inferred>(#error, #is_main) }
            }
            Some(Expr::Closure(closure)) if matches!(closure.output, ReturnType::Default) => {
                self.typed_closure(closure, error)
            }
            Some(on_error) => {
                // Spans point at the value, so that type errors do too.
                let (first, last) = outer_spans(on_error);
                let error = Ident::new(&error.to_string(), first);
                let call = if matches!(on_error, Expr::Path(_)) {
                    let argument = quote_spanned! {last=> (#error) };
                    quote_spanned! {first=> #on_error #argument }
                } else {
                    let core = respan(core.clone(), first);
                    let arguments = quote_spanned! {last=> (#on_error, #error) };
                    quote_spanned! {first=> #core::refused_by #arguments }
                };
                quote_spanned! {span=>
                    (|#error: #core::PidFileError| -> #output { #call })(#error)
                }
            }
        };
        if self.returns_never {
            outcome
        } else {
            quote_spanned! {span=> return #outcome }
        }
    }

    /// Generates a call of a closure literal.
    ///
    /// The closure's types are annotated, so that its body is checked as if it were inline.
    fn typed_closure(&self, closure: &ExprClosure, error: &Ident) -> TokenStream {
        let span = Span::mixed_site();
        let Expansion { core, output, .. } = self;
        let ExprClosure {
            attrs,
            lifetimes,
            asyncness,
            capture,
            inputs,
            body,
            ..
        } = closure;
        let input = match inputs.first() {
            Some(pat) if inputs.len() == 1 && !matches!(pat, Pat::Type(_)) => {
                quote_spanned! {span=> #pat: #core::PidFileError }
            }
            _ => inputs.to_token_stream(),
        };
        let (first, last) = outer_spans(closure);
        let error = Ident::new(
            &error.to_string(),
            inputs.first().map_or(first, |input| outer_spans(input).0),
        );
        let argument = quote_spanned! {last=> (#error) };
        quote_spanned! {first=>
            (#(#attrs)* #lifetimes #asyncness #capture |#input| -> #output { #body }) #argument
        }
    }
}

/// Borrows the value of a key, so that a parameter can be used both in the value and in the body.
fn borrow(value: &Expr) -> TokenStream {
    let (first, last) = outer_spans(value);
    let mut inside = Group::new(Delimiter::Parenthesis, value.to_token_stream());
    inside.set_span(last);
    quote_spanned! {first=> & #inside }
}

#[cfg(test)]
mod tests;
