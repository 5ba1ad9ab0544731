//! Generates the replacement function.
//!
//! The guard is declared first and so dropped last; everything else is moved or created inside. Our
//! tokens use mixed-site hygiene, so names cannot clash, lints treat them as macro code and blocks
//! follow this crate's edition.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprClosure, Pat, ReturnType, Token};

use crate::args::{Args, Setting, Value};
use crate::function::{Function, split_inner_attributes};
use crate::literal;
use crate::params;
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
            let errors = function.errors(args.on_error.is_some());
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

/// Returns the guarded function. There must be no errors.
fn expand(args: &Args, mut function: Function) -> TokenStream {
    let span = Span::mixed_site();
    let expansion = Expansion::new(args, &function);
    let moves = params::rebind(&mut function.sig, &expansion.core);
    let (inner_attributes, body) = split_inner_attributes(&function.body);
    // A match arm, so that lints do not call the user's braces redundant.
    let body = quote_spanned! {span=> match () { () => #body } };
    let block = match function
        .sig
        .receiver()
        .filter(|receiver| params::is_owned(receiver))
    {
        Some(receiver) => expansion.with_owned_self(&receiver.self_token, &moves, &body),
        None => expansion.with_params(&moves, &body),
    };

    let mut outer = Group::new(Delimiter::Brace, quote! { #inner_attributes #block });
    outer.set_span(function.body.span());
    let Function {
        attrs,
        vis,
        default,
        sig,
        ..
    } = &function;
    quote! { #(#attrs)* #vis #default #sig #outer }
}

/// Builds the expansion.
struct Expansion<'a> {
    args: &'a Args,
    /// The path to the hidden module of the runtime crate.
    core: TokenStream,
    /// The return type, with `_` for `impl Trait`.
    output: TokenStream,
    /// The place of the function's name.
    name: Span,
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
            output: match &function.sig.output {
                ReturnType::Default => {
                    let name = span.located_at(function.sig.ident.span());
                    quote_spanned! {name=> () }
                }
                ReturnType::Type(_, ty) => erase_impl_trait(ty.to_token_stream()),
            },
            name: function.sig.ident.span(),
            error_type: function.error_type(),
            is_async: function.sig.asyncness.is_some(),
            is_main: function.is_main(),
            returns_never: function.returns_never(),
        }
    }

    /// Generates the block of a function without by-value `self`.
    fn with_params(&self, moves: &TokenStream, body: &TokenStream) -> TokenStream {
        let span = Span::mixed_site();
        let guard = Ident::new("__plg", span);
        let acquired = self.acquired();
        quote_spanned! {span=> {
            let #guard;
            #moves
            #guard = #acquired;
            #body
        } }
    }

    /// Generates the block of a function with by-value `self`.
    ///
    /// By-value `self` cannot be rebound with `let`, so the body runs in a closure or `async` block
    /// that captures it.
    fn with_owned_self(
        &self,
        this: &Token![self],
        moves: &TokenStream,
        body: &TokenStream,
    ) -> TokenStream {
        let span = Span::mixed_site();
        let (guard, slot) = (Ident::new("__plg", span), Ident::new("__pls", span));
        let Expansion { core, output, .. } = self;
        let acquired = self.acquired();
        let before = quote_spanned! {span=>
            let _ = &#this;
            #moves
            *#slot = #core::Some(#acquired);
        };
        // At the function's name, to which errors about `?` then refer as "this function".
        let name = span.located_at(self.name);
        let (closure, block) = (
            quote_spanned! {name=> move || -> #output },
            quote_spanned! {name=> async move },
        );
        // At the return type, to which errors refer as "return type inferred here".
        let witness = |ty: TokenStream| {
            let (place, _) = outer_spans(output);
            let call = quote_spanned! {span=> #core::type_witness::<#ty>() };
            quote_spanned! {place=> { #call } }
        };
        let run = if !self.is_async {
            quote_spanned! {span=> #core::once(#closure { #before #body }) }
        } else if self.returns_never {
            // An async block cannot have type `!`, so it gets a type that the body never returns.
            // The `let` checks that the body is of type `!`, which outside of signatures can only be
            // named as the return type of a function pointer. The `if` makes the end of the block
            // reachable for the compiler, so that a body of another type causes one error.
            let witness = witness(quote_spanned! {span=> #core::Never });
            quote_spanned! {span=>
                #block {
                    if false {
                        return #witness;
                    }
                    #before
                    if true {
                        let _: <fn() -> ! as #core::Returns>::Output = #body;
                    }
                    #core::type_witness()
                }.await;
                #core::type_witness()
            }
        } else {
            let witness = witness(output.clone());
            quote_spanned! {span=>
                #block {
                    if false {
                        return #witness;
                    }
                    #before
                    #body
                }.await
            }
        };
        quote_spanned! {span=> {
            let mut #guard = #core::None;
            let #slot = &mut #guard;
            #run
        } }
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
        // A separate statement, so that temporaries such as `MutexGuard`s are dropped before
        // acquiring.
        quote_spanned! {span=> {
            let #builder = #built;
            match #core::acquire(&#builder) {
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
    /// Diverging calls must not follow `return`, or rustc warns about unreachable code.
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

/// Borrows a value, so that a parameter can be used both in the value and in the body.
fn borrow(value: &Expr) -> TokenStream {
    let (first, last) = outer_spans(value);
    let mut inside = Group::new(Delimiter::Parenthesis, value.to_token_stream());
    inside.set_span(last);
    quote_spanned! {first=> & #inside }
}

/// Replaces each `impl Trait` and its bounds by `_`, so that the type can be written inside the
/// function.
fn erase_impl_trait(ty: TokenStream) -> TokenStream {
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

#[cfg(test)]
mod tests;
